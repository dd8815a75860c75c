(ns run
  "Runs the tests against the real daemon, whose build is in $BUILD; the last line is as tests/run reads it."
  (:require [clojure.test :as t]
            [millrace.core-test]
            [millrace.elsewhere-test]
            [millrace.taps-test]
            [millrace.wire-test]))

(let [{:keys [pass fail error test]} (t/run-tests 'millrace.wire-test 'millrace.core-test 'millrace.elsewhere-test 'millrace.taps-test)]
  (println (str "Ran " test " tests with " (+ pass fail error) " assertions"))
  (when (pos? (+ fail error))
    (println (str "FAILED (failures=" fail ", errors=" error ")")))
  (shutdown-agents)
  (System/exit (if (pos? (+ fail error)) 1 0)))
