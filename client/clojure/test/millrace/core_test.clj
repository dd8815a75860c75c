(ns millrace.core-test
  "Remote channels beside local ones, against the real daemon. Nothing sleeps: what has to happen first is asked of the daemon."
  (:require [clojure.core.async :as a :refer [<! <!! >! >!! alts!! close! go offer! poll! timeout]]
            [clojure.java.io :as io]
            [clojure.test :refer [deftest is testing use-fixtures]]
            [millrace.core :as mill])
  (:import (java.net ServerSocket)))

(def build (or (System/getenv "BUILD") "build"))
(def deadline-ms 60000)
(def ^:dynamic *url* nil)
(def ^:dynamic *conn* nil)

(defn start-daemon
  "[process url]"
  [& more]
  (let [command (into [(str build "/millraced") "--http" "none" "--set" "limits.grace_ms=0" "--listen" "tcp://127.0.0.1:0"] more)
        process (.start (ProcessBuilder. ^java.util.List command))
        log (io/reader (.getErrorStream process))
        ready (first (filter #(re-find #"ready" %) (line-seq log)))]
    (future (doseq [_ (line-seq log)]))
    [process (re-find #"tcp://127\.0\.0\.1:\d+" ready)]))

(defn with-daemon
  "Calls body with a daemon of its own, and its channels."
  [body]
  (let [[^Process process url] (start-daemon)]
    (try
      (with-open [conn (mill/connect url {:name "test" :on-error (fn [_])})]
        (mill/create! conn "jobs" :bounded :capacity 8)
        (mill/create! conn "out" :bounded :capacity 8)
        (mill/create! conn "meet" :unbuffered)
        (mill/create! conn "lossy" :dropping :capacity 1)
        (mill/create! conn "leader" :promise)
        (binding [*conn* conn, *url* url]
          (body)))
      (finally (.destroy process) (.waitFor process)))))

(use-fixtures :each with-daemon)

(defn until
  "Asks until the channel's row is so."
  [name wanted]
  (loop []
    (let [row (mill/stat *conn* name)]
      (if (= wanted (select-keys row (keys wanted))) row (recur)))))

(defn within [channel]
  (let [[value from] (alts!! [channel (timeout deadline-ms)])]
    (is (= from channel) "in time")
    value))

(defn books-balance? [{:keys [accepted returned taken buffered leased evicted dead_lettered discarded]}]
  (= (+ accepted returned) (+ taken buffered leased evicted dead_lettered discarded)))

(deftest taps
  (mill/create! *conn* "events" :bounded :capacity 8)
  (let [orders (mill/subscribe! *conn* "events" :sliding :capacity 2 :match {"/type" "order"})]
    (is (true? (mill/tap! *conn* "events" "out" :match {} :close false :state :run)))
    (is (false? (mill/tap! *conn* "events" "out" :close false)))
    (mill/put-many! *conn* "events" [{:type "order" :n 1} {:type "x"} {:type "order" :n 2} {:type "order" :n 3}])
    (is (= [2 3] [(:n (<!! orders)) (:n (<!! orders))]))
    (is (= [[(:name orders) 3 1] ["out" 4 0]] (map (juxt :to :carried :unmatched) (mill/taps *conn* "events"))))
    (mill/untap! *conn* "events" "out")
    (is (= 1 (count (mill/taps *conn*))))
    (mill/ask! *conn* "close" {"channel" "events"})
    (is (nil? (within orders)))
    (is (= [] (mill/taps *conn*)))
    (is (thrown? clojure.lang.ExceptionInfo (mill/untap! *conn* "events" "out")))
    (is (false? (:closed (mill/stat *conn* "out"))))))

(deftest put-and-take
  (let [jobs (mill/chan *conn* "jobs")]
    (is (true? (>!! jobs {:n 123456789012345678901234567890 :t "é"})))
    (is (= {:n 123456789012345678901234567890 :t "é"} (<!! jobs)))
    (is (nil? (poll! jobs)))
    (is (true? (offer! jobs 1)))
    (is (= 1 (poll! jobs)))
    (is (nil? (offer! (mill/chan *conn* "meet") 1)))
    (is (true? (>!! (mill/chan *conn* "lossy") 1)))
    (is (true? (>!! (mill/chan *conn* "lossy") 2)) "as core.async's dropping buffer has it")
    (is (thrown? IllegalArgumentException (>!! jobs nil)))
    (is (= 3 (mill/put-many! *conn* "jobs" [1 2 3])))
    (close! jobs)
    (is (= [1 2 3 nil] [(<!! jobs) (<!! jobs) (<!! jobs) (<!! jobs)]))
    (is (false? (>!! jobs 4)))))

(deftest go-blocks
  (let [jobs (mill/chan *conn* "jobs")
        sum (go (loop [sum 0]
                  (if-let [n (<! jobs)] (recur (+ sum n)) sum)))]
    (go (doseq [n (range 50)] (>! jobs n)) (close! jobs))
    (is (= 1225 (within sum)))))

(deftest a-mixed-choice-loses-nothing
  (testing "another arm wins: the remote take is withdrawn"
    (let [jobs (mill/chan *conn* "jobs")
          local (a/chan 1)
          choice (go (a/alts! [jobs local]))]
      (until "jobs" {:parked_takes 1})
      (>!! local :here)
      (is (= [:here local] (within choice)))
      (until "jobs" {:parked_takes 0})
      (>!! jobs 1)
      (is (= 1 (<!! jobs)))))
  (testing "the remote arm wins: it is acknowledged"
    (let [jobs (mill/chan *conn* "jobs")
          choice (go (a/alts! [jobs (a/chan)]))]
      (>!! jobs 2)
      (is (= [2 jobs] (within choice)))
      (until "jobs" {:leased 0 :buffered 0})))
  (testing "a timeout beside it"
    (let [jobs (mill/chan *conn* "jobs") clock (timeout 20)]
      (is (= [nil clock] (alts!! [jobs clock])))
      (until "jobs" {:parked_takes 0})))
  (testing "a promise can be an arm"
    (let [leader (mill/chan *conn* "leader")]
      (>!! leader 7)
      (is (= [7 leader] (alts!! [leader (timeout deadline-ms)]))))))

(deftest a-storm-of-choices-loses-nothing
  (let [seed (or (some-> (System/getenv "MILLRACE_SEED") parse-long) 20261126)
        random (java.util.Random. seed)
        total 300
        jobs (mill/chan *conn* "jobs")
        got (atom [])
        done (promise)
        consumer (fn []
                   (a/go-loop []
                     (let [other (a/chan 1)]
                       (when (< (.nextDouble random) 0.5) (a/put! other :other))
                       (let [[value from] (a/alts! [jobs other (timeout 30)])]
                         (when (= from jobs)
                           (when (= total (count (swap! got conj value))) (deliver done true)))
                         (when (< (count @got) total) (recur))))))]
    (println "seed" seed)
    (dotimes [_ 4] (consumer))
    (go (doseq [n (range total)] (>! jobs n)))
    (is (true? (deref done deadline-ms false)))
    (is (= (range total) (sort @got)))
    (is (books-balance? (until "jobs" {:leased 0 :parked_takes 0})))))

(deftest a-put-arm-is-refused-and-the-daemons-alts-named
  (is (thrown-with-msg? UnsupportedOperationException #"millrace.core/alts!" (alts!! [[(mill/chan *conn* "jobs") 1] (a/chan)])))
  (let [jobs (mill/chan *conn* "jobs") meet (mill/chan *conn* "meet")]
    (is (= [true jobs] (mill/alts!! [[jobs 1] meet])))
    (is (= [1 jobs] (mill/alts!! [meet jobs] :priority true)))
    (is (= [:timeout nil] (mill/alts!! [meet jobs] :timeout-ms 0)))
    (close! jobs)
    (is (= [nil jobs] (mill/alts!! [jobs meet])))
    (is (= [false jobs] (mill/alts!! [[jobs 1] meet])))))

(deftest core-asyncs-own-plumbing
  (testing "pipe, pipeline and onto-chan!"
    (let [jobs (mill/chan *conn* "jobs") out (mill/chan *conn* "out")]
      (a/pipeline 4 out (map inc) jobs)
      (a/onto-chan! jobs (range 40))
      (is (= (range 1 41) (within (a/into [] out))))))
  (mill/delete! *conn* "jobs" :force true)
  (mill/create! *conn* "jobs" :bounded :capacity 8)
  (testing "mult, to a remote and a local tap"
    (let [jobs (mill/chan *conn* "jobs")
          m (a/mult jobs)
          a1 (a/chan 50) a2 (a/chan 50)]
      (a/tap m a1)
      (a/tap m a2)
      (a/onto-chan! jobs (range 20))
      (is (= [(range 20) (range 20)] [(within (a/into [] a1)) (within (a/into [] a2))]))))
  (mill/delete! *conn* "jobs" :force true)
  (mill/create! *conn* "jobs" :bounded :capacity 8)
  (testing "mix"
    (let [jobs (mill/chan *conn* "jobs") local (a/chan) out (a/chan 50)
          mix (a/mix out)]
      (a/admix mix jobs)
      (a/admix mix local)
      (>!! jobs :remote)
      (is (= "remote" (within out)))
      (>!! local :local)
      (is (= :local (within out))))))

(deftest jobs-are-leased
  (let [jobs (mill/chan *conn* "jobs" {:lease-ms 30000})]
    (>!! jobs "x")
    (let [job (<!! jobs)]
      (is (= ["x" 1] ((juxt :value :deliveries) job)))
      (is (true? @(mill/extend! job 60000)))
      (is (true? @(mill/nack! job))))
    (let [job (<!! jobs)]
      (is (= 2 (:deliveries job)))
      (is (true? @(mill/ack! job)))
      (is (false? @(mill/ack! job))))
    (is (nil? (poll! jobs)))))

(deftest random-sequences-agree-with-local-channels
  (let [seed (or (some-> (System/getenv "MILLRACE_SEED") parse-long) 7)
        random (java.util.Random. seed)]
    (println "seed" seed)
    (dotimes [round 20]
      (let [kind (rand-nth [:bounded :dropping :sliding])
            capacity (inc (.nextInt random 4))
            name (str "random." round)
            local (a/chan (({:bounded a/buffer :dropping a/dropping-buffer :sliding a/sliding-buffer} kind) capacity))
            _ (mill/create! *conn* name kind :capacity capacity)
            remote (mill/chan *conn* name)]
        (dotimes [n 40]
          (case (.nextInt random 5)
            (0 1) (is (= (offer! local n) (offer! remote n)) [kind capacity n])
            (2 3) (is (= (poll! local) (poll! remote)) [kind capacity n])
            4 (when (= n 35) (close! local) (close! remote))))))))

(deftest what-core-async-cannot-say-goes-to-on-error
  (let [errors (atom [])]
    (with-open [conn (mill/connect *url* {:on-error #(swap! errors conj (:code (ex-data %)))})]
      (is (false? (>!! (mill/chan conn "nowhere") 1)))
      (is (nil? (<!! (mill/chan conn "nowhere"))))
      (is (= ["no_such_channel" "no_such_channel"] @errors)))
    (is (thrown-with-msg? clojure.lang.ExceptionInfo #"no daemon" (mill/connect "unix:///nowhere/m.sock")))
    (is (thrown? IllegalArgumentException (mill/connect *url* {:tokn "x"})))))

(deftest the-connection-comes-back
  (let [taking (go (<! (mill/chan *conn* "meet")))]
    (until "meet" {:parked_takes 1})
    (doseq [link (vals (:links @(:state *conn*)))]
      ((:close-socket link)))
    (with-open [other (mill/connect *url*)]
      (is (true? (>!! (mill/chan other "meet") "after the cut"))))
    (is (= "after the cut" (within taking)))))

(deftest pages-of-channels
  (doseq [n (range 1200)]
    (mill/create! *conn* (format "n%04d" n) :bounded :capacity 1))
  (is (= (map #(format "n%04d" %) (range 1200)) (map :channel (mill/list *conn* "n*")))))

(deftest a-hostile-server-is-cut-off
  (with-open [server (ServerSocket. 0)]
    (future (let [socket (.accept server)]
              (.write (.getOutputStream socket) (byte-array [127 -1 -1 -1 0]))
              (.flush (.getOutputStream socket))))
    (is (thrown? clojure.lang.ExceptionInfo
                 (mill/connect (str "tcp://127.0.0.1:" (.getLocalPort server)) {:connect-timeout-ms 2000})))))
