(ns millrace.elsewhere-test
  "Who answers is another than was thought: one that never answers, one that names the next, or none at all; and what is interrupted."
  (:require [clojure.core.async :refer [<!! >!!]]
            [clojure.test :refer [deftest is use-fixtures]]
            [millrace.core :as mill]
            [millrace.core-test :as common :refer [*conn* *url* build until with-daemon]]
            [millrace.wire :as wire])
  (:import (java.io DataInputStream DataOutputStream)
           (java.net ServerSocket Socket)
           (java.nio.file Files)
           (java.nio.file.attribute FileAttribute)))

(use-fixtures :each with-daemon)

(defn- serve!
  "Says hello, and answers each other request with what `answer` makes of it: a map without its id, or a text; nil ends the connection."
  [^Socket socket answer]
  (with-open [in (DataInputStream. (.getInputStream socket)), out (DataOutputStream. (.getOutputStream socket))]
    (loop []
      (when-let [request (some-> (wire/read-frame in wire/largest-frame) (wire/decode keyword))]
        (when-let [reply (if (= (:op request) "hello") {:status "ok" :features ["cluster"]} (answer request))]
          (wire/write-frame! out (wire/bytes-of (if (string? reply) reply (wire/encode (assoc reply :id (:id request))))))
          (recur))))))

(defn- with-stand-in
  "Calls body with the URL of what stands in for a daemon, and an atom of how many requests it was asked."
  [answer body]
  (with-open [server (ServerSocket. 0)]
    (let [n (atom 0)]
      (future (while (not (.isClosed server))
                (let [socket (.accept server)]
                  (future (serve! socket #(do (swap! n inc) (answer %)))))))
      (body (str "tcp://127.0.0.1:" (.getLocalPort server)) n))))

(defn- code-of
  "The code of the exception that it ends with."
  [call]
  (try (call) nil (catch clojure.lang.ExceptionInfo error (:code (ex-data error)))))

(defn- put-many-in [url ms]
  #(with-open [conn (mill/connect url)]
     (mill/put-many! conn "jobs" [1] :timeout-ms ms)))

(deftest an-address-that-never-answers-leaves-time-for-the-next
  (with-open [silent (ServerSocket. 0)]
    (let [there (str "127.0.0.1:" (.getLocalPort silent))]
      (with-open [conn (mill/connect (str "tcp://" there "," *url*) {:connect-timeout-ms 400})]
        (is (mill/stat conn "jobs")))
      (is (thrown-with-msg? clojure.lang.ExceptionInfo #"no answer in time" (mill/connect (str "tcp://" there) {:connect-timeout-ms 50})))
      (is (thrown-with-msg? clojure.lang.ExceptionInfo #"timed out" (mill/connect (str "tls://" there) {:connect-timeout-ms 50}))))))

(deftest a-unix-socket
  (let [directory (Files/createTempDirectory "millrace-test." (make-array FileAttribute 0))
        url (str "unix://" directory "/m.sock")
        [^Process process _] (common/start-daemon "--listen" url)]
    (try
      (with-open [conn (mill/connect url)]
        (mill/create! conn "jobs" :bounded :capacity 1)
        (is (true? (>!! (mill/chan conn "jobs") 1)))
        (is (= 1 (<!! (mill/chan conn "jobs")))))
      (finally
        (.destroy process)
        (.waitFor process)
        (Files/deleteIfExists (.resolve directory "m.sock"))
        (Files/delete directory)))))

(deftest daemons-that-send-us-round-in-circles-to-nowhere-or-to-wait
  (let [answer (atom nil)]
    (with-stand-in (fn [_] (merge {:status "error" :message ""} @answer))
      (fn [url n]
        (reset! answer {:error "moved" :address url})
        (is (= ["moved" "moved"] (map #(code-of (put-many-in url %)) [250 0])))
        (is (< @n 14))
        (doseq [address ["" "nonsense" "tcp://" 7 nil]]
          (reset! answer {:error "moved" :address address})
          (is (= "moved" (code-of (put-many-in url nil))) address))
        (reset! answer {:error "unavailable" :retry_ms 50})
        (is (= ["unavailable" "unavailable"] (map #(code-of (put-many-in url %)) [0 70])))))))

(deftest what-is-no-reply-is-not-asked-for-again
  (let [answer (atom nil)]
    (with-stand-in (fn [_] @answer)
      (fn [url n]
        (doseq [text ["[1]" "1" "{" "{\"id\":2,\"status\":\"ok\",\"value\":}" (apply str (repeat 100000 "["))]]
          (reset! answer text)
          (reset! n 0)
          (with-open [conn (mill/connect url {:on-error (fn [_])})]
            (is (nil? (<!! (mill/chan conn "jobs"))))
            (is (= 1 @n))))))))

(deftest a-number-that-nothing-holds-fails-alone
  (let [errors (atom [])]
    (with-open [conn (mill/connect *url* {:on-error #(swap! errors conj (ex-data %))})]
      (let [put #(.waitFor (.start (ProcessBuilder. [(str build "/millrace") "--url" *url* "put" "jobs" %])))
            jobs (mill/chan conn "jobs"), leased (mill/chan conn "jobs" {:lease-ms 60000})]
        (put "[1e99999999999]")
        (is (nil? (<!! leased)))
        (is (= 1 (:buffered (until "jobs" {:leased 0}))))
        (is (nil? (<!! jobs)))
        (is (= ["undecodable" "undecodable"] (map :code @errors)))
        (is (re-find #"\[1e99999999999\]" (:raw (:reply (last @errors)))))
        (put "2")
        (is (= 2 (<!! jobs)))))))

(deftest what-cannot-be-sent-is-told
  (let [errors (atom [])]
    (with-open [conn (mill/connect *url* {:on-error #(swap! errors conj (class %))})]
      (let [jobs (mill/chan conn "jobs")]
        (doseq [value ["\ud800" {"\udc00" 1} (nth (iterate vector []) 100000)]]
          (is (false? (>!! jobs value))))
        (is (= (repeat 3 IllegalArgumentException) @errors))
        (is (= 0 (:buffered (mill/stat conn "jobs"))))))))

(deftest an-interrupted-call-is-withdrawn
  (let [ended (promise), conn *conn*
        caller (Thread. #(deliver ended (try (mill/put-many! conn "meet" [1 2]) (catch InterruptedException _ :interrupted))))]
    (.start caller)
    (until "meet" {:parked_puts 1})
    (.interrupt caller)
    (is (= :interrupted (deref ended common/deadline-ms :late)))
    (until "meet" {:parked_puts 0})))

(deftest nobody-waits-longer-for-a-daemon-that-is-away-than-he-said
  (let [[^Process process url] (common/start-daemon)]
    (with-open [conn (mill/connect url {:reconnect-ms 600000})]
      (.destroy process)
      (.waitFor process)
      (is (= "connection_lost" (code-of #(mill/put-many! conn "jobs" [1] :timeout-ms 1)))))))
