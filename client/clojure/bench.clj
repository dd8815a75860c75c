(ns bench
  "Figures: values a second through one bounded channel, from one go block to another: core.async in one process, Millrace over loopback, and a
  Redis list (RPUSH, BLPOP) over loopback with the same number of connections. Interleaved rounds, medians, ratios.

      java -cp ... clojure.main client/clojure/bench.clj MILLRACE_URL REDIS_PORT"
  (:require [clojure.core.async :as a]
            [millrace.core :as mill])
  (:import (java.io BufferedInputStream BufferedOutputStream)
           (java.net Socket)))

(def n 4000)
(def lanes "So many puts, and takes, are in flight." 32)

(defn- rate [body]
  (let [start (System/nanoTime)]
    (body)
    (/ n (/ (- (System/nanoTime) start) 1e9))))

(defn- through
  "n values from `lanes` go blocks that put to as many that take."
  [in out]
  (let [share (quot n lanes)
        takers (doall (for [_ (range lanes)] (a/go (dotimes [_ share] (a/<! out)))))]
    (dotimes [lane lanes] (a/go (dotimes [i share] (a/>! in (+ (* lane share) i)))))
    (doseq [taker takers] (a/<!! taker))))

(defn- redis [port]
  (let [socket (doto (Socket. "127.0.0.1" (int port)) (.setTcpNoDelay true))
        in (BufferedInputStream. (.getInputStream socket)) out (BufferedOutputStream. (.getOutputStream socket))
        line (fn [] (loop [text ""] (let [c (.read in)] (if (= c 10) text (recur (str text (char c)))))))]
    (fn [lines & words]
      (.write out (.getBytes (str "*" (count words) "\r\n" (apply str (map #(str "$" (count %) "\r\n" % "\r\n") words)))))
      (.flush out)
      (dotimes [_ lines] (line)))))

(defn- through-redis
  "The same with a connection for each lane's puts and takes, one request in flight on each: a BLPOP blocks its connection."
  [connections]
  (let [share (quot n lanes)
        work (fn [[put! take!]]
               [(a/thread (dotimes [i share] (put! 1 "RPUSH" "bench" (str i))))
                (a/thread (dotimes [_ share] (take! 5 "BLPOP" "bench" "0")))])]
    (doseq [done (doall (mapcat work connections))] (a/<!! done))))

(let [[url port] *command-line-args*
      median (fn [xs] (nth (sort xs) (quot (count xs) 2)))]
  (with-open [conn (mill/connect url)]
    (mill/create! conn "bench" :bounded :capacity 100)
    (let [remote (mill/chan conn "bench")
          connections (when port (doall (repeatedly lanes #(vector (redis (parse-long port)) (redis (parse-long port))))))
          round (fn [] {:core.async (let [local (a/chan 100)] (rate #(through local local)))
                        :millrace (rate #(through remote remote))
                        :redis (when port (rate #(through-redis connections)))})
          _ (round) ; the first is for the compiler
          rounds (doall (repeatedly 5 round))
          of (fn [key] (median (map key rounds)))]
      (println "values a second, medians of 5 rounds:")
      (doseq [key (if port [:core.async :millrace :redis] [:core.async :millrace])]
        (println (format "  %-11s %,10.0f" (name key) (double (of key)))))
      (println (format "Millrace against core.async in one process: x%.3f" (double (/ (of :millrace) (of :core.async)))))
      (when port
        (println (format "Millrace (1 connection) against Redis (%d connections): x%.2f" (* 2 lanes) (double (/ (of :millrace) (of :redis)))))))))
(shutdown-agents)
(System/exit 0)
