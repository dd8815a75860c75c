(ns worker
  "A worker that loses no job: `worker` works, `worker 5` puts five jobs. Needs a daemon with a channel `jobs`."
  (:require [clojure.core.async :as a]
            [millrace.core :as mill]))

(with-open [conn (mill/connect nil {:name "worker.clj"})]
  (let [jobs (mill/chan conn "jobs" {:lease-ms 30000})]
    (if-let [n (first *command-line-args*)]
      (doseq [i (range (parse-long n))]
        (a/>!! jobs {:square i})) ; waits while the channel is full
      (loop []
        (when-let [job (a/<!! jobs)]
          (println (let [n (:square (:value job))] (* n n)))
          @(mill/ack! job)
          (recur))))))
(shutdown-agents)
