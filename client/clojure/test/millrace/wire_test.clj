(ns millrace.wire-test
  (:require [clojure.test :refer [deftest is]]
            [millrace.wire :as wire]))

(deftest numbers-keep-their-size
  (let [big (apply str (repeat 5000 "7"))]
    (is (= (bigint (BigInteger. big)) (wire/decode big identity)))
    (is (= big (wire/encode (wire/decode big identity)))))
  (is (= 9007199254740993 (wire/decode "9007199254740993" identity)))
  (is (= 1e400M (wire/decode "1e400" identity)))
  (is (= (bigdec (str (apply str (repeat 400 "7")) ".5")) (wire/decode (str (apply str (repeat 400 "7")) ".5") identity)))
  (is (= {"id" 1 "error" "undecodable" "lease" "x"}
         (select-keys (wire/decode-reply "{\"id\":1,\"value\":1e99999999999,\"lease\":\"x\"}") ["id" "error" "lease" "value"])))
  (is (= {:a [1.5 nil true "é/"]} (wire/decode "{\"a\":[1.5,null,true,\"é/\"]}" keyword)))
  (is (= "{\"a\":\"é/\"}" (wire/encode {:a "é/"}))))

(deftest addresses
  (let [texts #(map :text (wire/addresses %))]
    (is (= ["tcp://a:7223" "tcp://b:2" "tcp://c:7223"] (texts "tcp://a,b:2, c")))
    (is (= ["unix:///run/m.sock" "tls://[::1]:7225"] (texts "unix:///run/m.sock,tls://[::1]")))
    (doseq [url ["http://a" "a:1" "tcp://" "tcp://a:0" "tcp://a:99999" "unix://run" "tcp://u@a"]]
      (is (thrown? IllegalArgumentException (doall (texts url))) url))))

(deftest groups
  (is (= ["orders" "orders" "default" "default"] (map wire/group-of ["{orders}.jobs" "retry.{orders}" "{}x" "plain"]))))
