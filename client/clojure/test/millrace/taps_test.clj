(ns millrace.taps-test
  "The daemon's taps against core.async's own mult, pub, merge and mix: random sequences come to the same, where PROTOCOL.md does not say
  that they differ. core.async runs on an executor of this test's, in this thread: so it is known when nothing moves any more."
  (:require [clojure.core.async :as a]
            [clojure.core.async.impl.dispatch :as dispatch]
            [clojure.core.async.impl.protocols :as impl]
            [clojure.test :refer [deftest is use-fixtures]]
            [millrace.core :as mill]
            [millrace.core-test :as daemon])
  (:import (java.util ArrayDeque Random)))

(def ^:dynamic *conn* nil)
(def runs 60)
(def base-seed (or (some-> (System/getenv "MILLRACE_SEED") parse-long) (System/currentTimeMillis)))

(use-fixtures :once
  (fn [body]
    (println "seed" base-seed)
    (let [[^Process process url] (daemon/start-daemon)]
      (try
        (with-open [conn (mill/connect url {:on-error (fn [_])})]
          (binding [*conn* conn] (body)))
        (finally (.destroy process) (.waitFor process))))))

;; A scenario is {:pattern … :sources {name [kind capacity]} :targets {name [kind capacity]} :ops [[op …] …]}. What is done with it gives the
;; values that each take got, in order; then what was left in each target, and which of them are closed.

;; -- core.async --

(defn buffer [[kind capacity]]
  (case kind
    :unbuffered nil
    :bounded (a/buffer capacity)
    :dropping (a/dropping-buffer capacity)
    :sliding (a/sliding-buffer capacity)))

(defn attributes [state]
  (assoc {:pause false :mute false :solo false} state true))

(defn local-pattern
  "What carries out the ops that are the pattern's own."
  [{:keys [pattern]} sources targets]
  (case pattern
    :mult (let [m (a/mult (sources "s0"))]
            (fn [[op target close?]]
              (case op :tap (a/tap m (targets target) close?) :untap (a/untap m (targets target)))))
    :pub (let [p (a/pub (sources "s0") :type)]
           (fn [[op target topic]]
             (case op :sub (a/sub p topic (targets target)) :unsub (a/unsub p topic (targets target)))))
    :merge (constantly nil)
    :mix (let [m (a/mix (targets "t0"))]
           (a/solo-mode m :pause)
           (fn [[_ source state]]
             (if (= state :gone) (a/unmix m (sources source)) (a/toggle m {(sources source) (attributes state)}))))))

(defn run-local [{:keys [ops sources targets pattern] :as scenario}]
  (let [waiting (ArrayDeque.)
        settle (fn [] (while (not (.isEmpty waiting)) (.run ^Runnable (.poll waiting))))]
    (with-redefs [dispatch/executor (delay (reify impl/Executor (exec [_ task] (.add waiting task))))]
      (let [sources (update-vals sources #(a/chan (buffer %)))
            targets (if (= pattern :merge)
                      {"t0" (a/merge (vals sources) (buffer (targets "t0")))}
                      (update-vals targets #(a/chan (buffer %))))
            own (local-pattern scenario sources targets)
            poll (fn [target] (let [value (a/poll! (targets target))] (settle) value))
            took (vec (for [[op subject value :as all] ops]
                        (let [got (case op
                                    :put (do (a/put! (sources subject) value) nil)
                                    :close (do (a/close! (sources subject)) nil)
                                    :close-target (do (a/close! (targets subject)) nil)
                                    :take (poll subject)
                                    (do (own all) nil))]
                          (settle)
                          got)))
            drained (into (sorted-map) (for [target (sort (keys targets))] [target (vec (take-while some? (repeatedly #(poll target))))]))]
        {:took took, :left drained, :closed (into (sorted-map) (update-vals targets impl/closed?))}))))

;; -- The daemon --

(def serial (atom 0))

(defn ask [op members]
  (mill/ask! *conn* op members))

(defn run-remote [{:keys [ops sources targets pattern]}]
  (let [prefix (str "f" (swap! serial inc) ".")
        named #(str prefix %)
        take! (fn [target] (:value (ask "take" {"channel" (named target) "timeout_ms" 0})))
        tap (fn [from to options] (ask "tap" (merge {"from" (named from) "to" (named to)} options)))]
    (doseq [[name [kind capacity]] (concat sources targets)]
      (mill/create! *conn* (named name) kind :capacity capacity))
    (when (= pattern :merge)
      (doseq [source (keys sources)] (tap source "t0" {})))
    (let [took (vec (for [[op subject value] ops]
                      (case op
                        :put (do (a/put! (mill/chan *conn* (named subject)) value) nil)
                        :close (do (ask "close" {"channel" (named subject)}) nil)
                        :close-target (do (ask "close" {"channel" (named subject)}) nil)
                        :take (take! subject)
                        :tap (do (tap "s0" subject {"close" value}) nil)
                        :sub (do (tap "s0" subject {"match" {"/type" value}}) nil)
                        (:untap :unsub) (do (ask "untap" {"from" (named "s0") "to" (named subject)}) nil)
                        :toggle (do (if (= value :gone)
                                      (ask "untap" {"from" (named subject) "to" (named "t0")})
                                      (tap subject "t0" {"state" (name value) "close" false}))
                                    nil))))
          left (into (sorted-map) (for [target (sort (keys targets))] [target (vec (take-while some? (repeatedly #(take! target))))]))
          closed (into (sorted-map) (for [target (keys targets)] [target (:closed (mill/stat *conn* (named target)))]))]
      (doseq [name (concat (keys sources) (keys targets))]
        (mill/delete! *conn* (named name) :force true))
      {:took took, :left left, :closed closed})))

;; -- Scenarios --

(defn one-of [^Random random choices]
  (nth choices (.nextInt random (count choices))))

(defn upto [^Random random n]
  (inc (.nextInt random n)))

(defn shedding
  "A target that never holds anybody up."
  [random]
  (one-of random [[:dropping (upto random 3)] [:sliding (upto random 3)] [:bounded 1000]]))

(defn generate
  "So many ops, each made by `step` of the state before it: [state op], op nil for none. Values are numbers that rise."
  [state step n]
  (loop [state state, ops [], i 0]
    (if (= i n)
      ops
      (let [[state op] (step state i)]
        (recur state (if op (conj ops op) ops) (inc i))))))

(defn mult-scenario [^Random random]
  (let [slow (one-of random [nil [:unbuffered nil] [:bounded (upto random 2)]])
        source (one-of random (if slow [[:unbuffered nil] [:sliding 2]] [[:unbuffered nil] [:bounded 3] [:sliding 1] [:dropping 2]]))
        targets (cond-> {"t0" [:bounded 1000], "t2" (shedding random), "t3" (shedding random)} slow (assoc "t1" slow))
        step (fn [{:keys [tapped gone ended] :as state} i]
               (let [target (one-of random ["t2" "t3"])
                     roll (.nextInt random 100)]
                 (cond
                   (< roll 45) [state (when-not ended [:put "s0" i])]
                   (< roll 75) [state [:take (one-of random (vec (keys targets)))]]
                   (= roll 99) [(assoc state :ended true) (when-not ended [:close "s0"])]
                   (or ended (gone target)) [state nil]
                   (> roll 96) [(-> state (update :gone conj target) (update :tapped disj target)) [:close-target target]]
                   (tapped target) [(update state :tapped disj target) [:untap target]]
                   :else [(update state :tapped conj target) [:tap target (.nextBoolean random)]])))
        begin (cond-> [[:tap "t0" true]] slow (conj [:tap "t1" false]))]
    {:pattern :mult, :sources {"s0" source}, :targets targets,
     :ops (into begin (generate {:tapped #{} :gone #{} :ended false} step 60))}))

(defn pub-scenario [^Random random]
  (let [targets {"t0" [:bounded 1000], "t1" (shedding random), "t2" (shedding random), "t3" (shedding random)}
        step (fn [{:keys [topics ended] :as state} i]
               (let [target (one-of random ["t1" "t2" "t3"])
                     roll (.nextInt random 100)]
                 (cond
                   (< roll 50) [state (when-not ended [:put "s0" (if (zero? (.nextInt random 8)) {:n i} {:type (one-of random ["a" "b" "c"]) :n i})])]
                   (< roll 80) [state [:take (one-of random (vec (keys targets)))]]
                   (= roll 99) [(assoc state :ended true) (when-not ended [:close "s0"])]
                   ended [state nil]
                   (topics target) [(update state :topics dissoc target) [:unsub target (topics target)]]
                   :else (let [topic (one-of random ["a" "b" "c"])]
                           [(update state :topics assoc target topic) [:sub target topic]]))))]
    {:pattern :pub, :sources {"s0" (one-of random [[:unbuffered nil] [:bounded 3] [:sliding 1]])}, :targets targets,
     :ops (into [[:sub "t0" "a"]] (generate {:topics {} :ended false} step 60))}))

(defn merge-scenario [^Random random]
  (let [names (mapv #(str "s" %) (range (inc (upto random 3))))
        step (fn [{:keys [ended] :as state} i]
               (let [source (one-of random names)
                     roll (.nextInt random 100)]
                 (cond
                   (< roll 50) [state (when-not (ended source) [:put source [source i]])]
                   (< roll 92) [state [:take "t0"]]
                   :else [(update state :ended conj source) (when-not (ended source) [:close source])])))]
    {:pattern :merge, :sources (into {} (for [name names] [name (one-of random [[:unbuffered nil] [:bounded 3]])])),
     :targets {"t0" (one-of random [[:unbuffered nil] [:bounded 2] [:bounded 1000]])},
     :ops (generate {:ended #{}} step 80)}))

(defn mix-scenario [^Random random]
  (let [names ["s0" "s1" "s2"]
        step (fn [{:keys [ended in] :as state} i]
               (let [source (one-of random names)
                     roll (.nextInt random 100)]
                 (cond
                   (< roll 50) [state (when-not (ended source) [:put source [source i]])]
                   (< roll 70) [state [:take "t0"]]
                   (> roll 97) [(update state :ended conj source) (when-not (ended source) [:close source])]
                   (ended source) [state nil]
                   (and (in source) (> roll 92)) [(update state :in disj source) [:toggle source :gone]]
                   :else [(update state :in conj source) [:toggle source (one-of random [:run :run :pause :mute :solo])]])))]
    {:pattern :mix, :sources (into {} (for [name names] [name (one-of random [[:unbuffered nil] [:bounded 3] [:sliding 2]])])),
     :targets {"t0" [:bounded 1000]},
     :ops (generate {:ended #{} :in #{}} step 80)}))

;; -- Comparing --

(defn by-source
  "Which of several sources is next is nobody's promise: whether there was a value each time, and what came of each, in order."
  [{:keys [took left] :as outcome}]
  (let [all (concat (filter some? took) (left "t0"))]
    (assoc outcome :took (mapv some? took) :left (into (sorted-map) (update-vals (group-by first all) vec)))))

(defn agree [scenario-of view]
  (doseq [seed (range base-seed (+ base-seed runs))]
    (let [scenario (scenario-of (Random. seed))
          ours (view (run-remote scenario))
          theirs (view (run-local scenario))]
      (when-not (= ours theirs)
        (is (= theirs ours) (str "MILLRACE_SEED=" seed "\n" (pr-str scenario))))))
  (is true))

(deftest mult-agrees (agree mult-scenario identity))
(deftest pub-agrees (agree pub-scenario identity))
(deftest merge-agrees (agree merge-scenario by-source))
(deftest mix-agrees (agree mix-scenario by-source))
