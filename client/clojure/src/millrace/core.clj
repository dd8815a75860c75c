(ns millrace.core
  "Remote channels that are core.async channels.

      (require '[millrace.core :as mill] '[clojure.core.async :as a])
      (with-open [conn (mill/connect \"tcp://127.0.0.1:7223\")]
        (let [jobs (mill/chan conn \"jobs\")]
          (a/>!! jobs {:url \"http://x/y\"})
          (a/<!! jobs)))

  `chan` gives what implements core.async's ReadPort, WritePort and Channel: <! >! <!! >!! put! take! alts! offer! poll! close!, pipe,
  pipeline, onto-chan!, mult and mix work on it beside local channels and timeout. nil is closed. What differs is said at `chan`.

  Values are JSON: what clojure.data.json makes of it, with keywords for the names of members (:key-fn of connect)."
  (:refer-clojure :exclude [list])
  (:require [clojure.core.async :as a]
            [clojure.core.async.impl.dispatch :as dispatch]
            [clojure.core.async.impl.protocols :as impl]
            [millrace.link :as link]
            [millrace.wire :as wire])
  (:import (java.io Closeable)
           (java.util.concurrent Executors ScheduledExecutorService ThreadFactory TimeUnit)
           (java.util.concurrent.locks Lock)))

(def ^:private handover-ms "The lease of a take while its value is on its way." 60000)
(def ^:private sweep-ms "How often takes are looked for whose alts has gone another way." 50)
(def ^:private first-pause-ms 50)
(def ^:private longest-pause-ms 5000)
(def ^:private free-repeats "So often a request is sent again at once; daemons that disagree, or fall, need time." 3)
(def ^:private repeat-pause-ms 100)

;; -- Connections --

(defn- report
  "What went wrong where core.async has no way to say so."
  [conn error]
  ((:on-error (:options conn)) error))

(defn- candidates [conn address]
  (if address [address] (:addresses conn)))

(defn- open-any!
  "A link to the first of the addresses that lets us in, each in its share of the time; nil if none answers, and the last one's reason is in
  the connection's :failure. Blocks."
  [conn addresses]
  (some (fn [address]
          (let [failed (fn [^Throwable error] (swap! (:state conn) assoc :failure (or (.getMessage error) (str (class error)))) nil)]
            (try (link/open! address (:options conn) (max 1 (quot (:connect-timeout-ms (:options conn)) (count addresses))))
                 (catch clojure.lang.ExceptionInfo error
                   (if (= "connection_lost" (:code (ex-data error))) (failed error) (throw error)))
                 (catch java.io.IOException error (failed error)))))
        addresses))

(defn- nobody
  "What is thrown if none of them answers."
  [conn]
  (ex-info (str "no daemon answers at " (apply str (interpose ", " (map :text (:addresses conn))))
                (when-let [why (:failure @(:state conn))] (str " (" why ")")))
           {:code "connection_lost"}))

(defn- open-links [conn]
  (filter link/open? (vals (:links @(:state conn)))))

(defn- keep-trying!
  "In a thread: opens the address (or any) again and again with growing pauses, until there is a link or it has taken too long."
  [conn address]
  (loop [pause first-pause-ms, left (:reconnect-ms (:options conn)), tries 1]
    (or (open-any! conn (if (and address (> tries 2)) (:addresses conn) (candidates conn address)))
        (if (or (:ended @(:state conn)) (not (pos? left)))
          (throw (nobody conn))
          (do (Thread/sleep (long (* pause (+ 0.5 (rand 0.5)))))
              (recur (min longest-pause-ms (* 2 pause)) (- left pause) (inc tries)))))))

(defn- adopt!
  "A new link is the connection's; what was ephemeral is made again."
  [conn link]
  (swap! (:state conn) update :links assoc (:text (:address link)) link)
  (doseq [members (vals (:ephemeral @(:state conn)))]
    (link/post! link "create" members))
  (when (:ended @(:state conn))
    (link/end! link "the connection was closed"))
  link)

(defn- link-for!
  "Calls `then` with a link to who owns the channel, or with nil and the exception. At once if there is one; else from another thread, after
  patience-ms at most (nil: :reconnect-ms)."
  [conn channel patience-ms then]
  (let [{:keys [links routes ended]} @(:state conn)
        address (get routes (wire/group-of channel))
        present (if address (get links (:text address)) (first (filter link/open? (vals links))))]
    (cond
      ended (then nil (ex-info "the connection was closed" {:code "closed_connection"}))
      (and present (link/open? present)) (then present nil)
      :else (let [key (:text address)
                  opening (delay (future (try (adopt! conn (keep-trying! conn address))
                                              (finally (swap! (:state conn) update :opening dissoc key)))))
                  winner (get-in (swap! (:state conn) update-in [:opening key] #(or % opening)) [:opening key])]
              (a/thread
                (let [waited #(if patience-ms (deref % patience-ms nil) (deref %))
                      [link error] (try [(or (waited @winner) (throw (nobody conn))) nil]
                                        (catch java.util.concurrent.ExecutionException error [nil (.getCause error)])
                                        (catch Throwable error [nil error]))]
                  (try (then link error) (catch Throwable error (report conn error)))))))))

(defn- direction
  "Where a refusal says to ask instead, which is remembered: after how many milliseconds; nil: it stands. Who has asked for TLS keeps to it."
  [conn channel link {:keys [error address retry_ms]}]
  (cond
    (= error "moved")
    (let [to (try (first (wire/addresses (str address))) (catch IllegalArgumentException _ nil))]
      (when (and to (or (not= "tls" (:scheme (:address link))) (= "tls" (:scheme to))))
        (swap! (:state conn) assoc-in [:routes (wire/group-of channel)] to)
        0))
    (and (= error "unavailable") retry_ms)
    (do (swap! (:state conn) update :routes dissoc (wire/group-of channel))
        retry_ms)))

(defn- request!
  "Sends a request and calls on-end once with its reply (a map) and the link that it came by, or with an ex-info and nil. After a cut it is
  sent again if `repeat?`, or if it is a put and the daemon knows puts again."
  [conn op channel members {:keys [repeat? seq timeout-ms on-sent]} on-end]
  (let [deadline (when timeout-ms (+ (System/nanoTime) (* 1000000 timeout-ms)))]
    (letfn [(left-ms [tries]
              (if (zero? tries) timeout-ms (max 0 (quot (- deadline (System/nanoTime)) 1000000))))
            (ask [tries]
              (link-for! conn channel (when timeout-ms (min (:reconnect-ms (:options conn)) (max 1000 (left-ms tries))))
                         (fn [link error]
                           (if error (on-end error nil) (send-by link tries)))))
            (ask-again [tries pause-ms]
              (let [pause-ms (if (< tries free-repeats) pause-ms (max pause-ms repeat-pause-ms))]
                (if (pos? pause-ms)
                  (a/take! (a/timeout pause-ms) (fn [_] (ask (inc tries))))
                  (ask (inc tries)))))
            (send-by [link tries]
              (let [once? (and seq (contains? @(:features link) "once"))
                    members (cond-> members
                              timeout-ms (assoc "timeout_ms" (left-ms tries))
                              once? (assoc "producer" (:producer conn) "seq" seq))]
                (try
                  (let [id (link/send! link op members #(answered link once? tries %))]
                    (when on-sent (on-sent link id)))
                  (catch Throwable error (on-end error nil)))))
            (answered [link once? tries {:keys [lost stranger? status error] :as reply}]
              (let [pause-ms (when (= status "error") (direction conn channel link reply))
                    may-repeat? (or (not= 0 timeout-ms) (< tries free-repeats))] ; no pause is short enough for who does not wait
                (cond
                  (and lost (or repeat? once?) may-repeat? (not stranger?) (not (:ended @(:state conn))))
                  (if (and deadline (pos? timeout-ms) (>= (System/nanoTime) deadline))
                    (on-end (ex-info "the time ran out while the daemon was away" {:code "timeout"}) nil)
                    (ask-again tries 0))
                  lost (on-end (ex-info lost {:code "connection_lost"}) nil)
                  (and pause-ms may-repeat? (not (and deadline (or (= error "unavailable") (pos? timeout-ms))
                                          (> (+ (System/nanoTime) (* 1000000 pause-ms)) deadline))))
                  (ask-again tries pause-ms)
                  (= status "error") (on-end (ex-info (str (:message reply)) {:code error :reply reply}) nil)
                  :else (on-end reply link))))]
      (ask 0))))

(defn- await!
  "A request's reply; throws what it ended with. Blocks; if that is interrupted the request is withdrawn."
  ([conn op channel members] (await! conn op channel members {}))
  ([conn op channel members options]
   (let [outcome (promise), where (atom nil)
         withdraw (fn [[link id]] (link/post! link "cancel" {"request" id}))
         on-sent (fn [link id] (when (= ::nobody (first (swap-vals! where #(if (= % ::nobody) % [link id])))) (withdraw [link id])))]
     (request! conn op channel members (assoc options :on-sent on-sent) (fn [reply _] (deliver outcome reply)))
     (let [reply (try @outcome
                      (catch InterruptedException error
                        (let [[sent _] (reset-vals! where ::nobody)]
                          (when (vector? sent) (withdraw sent)))
                        (throw error)))]
       (if (instance? Throwable reply) (throw reply) reply)))))

(defrecord Connection [addresses options producer last-seq timer state]
  Closeable
  (close [_]
    (let [[before _] (swap-vals! state assoc :ended true :links {})]
      (doseq [link (vals (:links before))]
        (link/end! link "the connection was closed"))
      (.shutdownNow ^ScheduledExecutorService timer))))

(defn- start-timer ^ScheduledExecutorService []
  (Executors/newSingleThreadScheduledExecutor
   (reify ThreadFactory
     (newThread [_ runnable] (doto (Thread. runnable "millrace timer") (.setDaemon true))))))

(declare sweep!)

(defn connect
  "Connects to a daemon; blocks. `url`: tcp://host:port, tls://host:port or unix:///path, several with commas, of which each will do; nil:
  $MILLRACE_URL, or the daemon on this machine. The connection is shared by any number of threads and go blocks, and is Closeable.

    :token               who this is, to a daemon with users ($MILLRACE_TOKEN)
    :name                shown to people who look at who waits (\"clojure\")
    :tls                 a javax.net.ssl.SSLContext for tls:// addresses (the JVM's own)
    :key-fn              for the names of members inside values (keyword)
    :connect-timeout-ms  for the first connection (5000)
    :reconnect-ms        for how long a request waits for a daemon that is away (30000)
    :on-error            called with an exception that core.async has no way to hand on: a put to a channel that is not there, say
                         (prints it to *err*)

  Throws ex-info with :code if no daemon answers or it does not let us in."
  ([] (connect nil {}))
  ([url] (connect url {}))
  ([url options]
   (let [known #{:token :name :tls :key-fn :connect-timeout-ms :reconnect-ms :on-error}
         _ (when-let [unknown (seq (remove known (keys options)))]
             (throw (IllegalArgumentException. (str "unknown options " (pr-str unknown) "; there are " (pr-str known)))))
         options (merge {:token (System/getenv "MILLRACE_TOKEN") :name "clojure" :key-fn keyword :connect-timeout-ms 5000 :reconnect-ms 30000
                         :on-error (fn [error] (binding [*out* *err*] (println "millrace:" (.getMessage ^Throwable error))))}
                        options)
         conn (->Connection (wire/addresses url) options (str (java.util.UUID/randomUUID)) (atom -1) (start-timer)
                            (atom {:links {} :routes {} :opening {} :ephemeral {} :parked #{} :ended false}))]
     (.scheduleWithFixedDelay ^ScheduledExecutorService (:timer conn) ^Runnable #(sweep! conn) sweep-ms sweep-ms TimeUnit/MILLISECONDS)
     (if-let [link (open-any! conn (:addresses conn))]
       (adopt! conn link)
       (do (.close ^Closeable conn)
           (throw (nobody conn))))
     conn)))

(defn features
  "What the daemon can do beyond the first version of the protocol: a set of strings."
  [conn]
  (or (some-> (first (open-links conn)) :features deref) #{}))

;; -- Jobs --

(defprotocol Lease
  (ack! [job] "The work is done: the value is out of its channel. Returns a promise: true, or false if it had gone back by then.")
  (nack! [job] [job options] "Gives it back, {:delay-ms n} later, {:counted false} with its deliveries as they were. A promise, as ack!.")
  (extend! [job ms] "So many milliseconds more from now on. A promise, as ack!."))

(declare finish!)

(defrecord Job [value channel deliveries origin token link done]
  Lease
  (ack! [job] (finish! job "ack" {}))
  (nack! [job] (nack! job {}))
  (nack! [job {:keys [delay-ms counted]}]
    (finish! job "nack" (cond-> {} delay-ms (assoc "delay_ms" delay-ms) (false? counted) (assoc "counted" false))))
  (extend! [_ ms]
    (let [outcome (promise)]
      (link/send! link "extend" {"lease" token "lease_ms" ms} #(deliver outcome (= (:status %) "ok")))
      outcome)))

(defn- finish! [{:keys [link token done]} op members]
  (let [outcome (promise)]
    (if (compare-and-set! done false true)
      (link/send! link op (assoc members "lease" token) #(deliver outcome (= (:status %) "ok")))
      (deliver outcome false))
    outcome))

(defn- keep-extending!
  "Extends the lease after a third of its time, for as long as the job is held by somebody and not done."
  [conn ^Job job lease-ms]
  (let [held (java.lang.ref.WeakReference. job)
        link (:link job), token (:token job), done (:done job)]
    (letfn [(later []
              (when-not (:ended @(:state conn))
                (.schedule ^ScheduledExecutorService (:timer conn)
                           ^Runnable (fn []
                                       (when (and (.get held) (not @done) (link/open? link))
                                         (link/post! link "extend" {"lease" token "lease_ms" lease-ms})
                                         (later)))
                           (long (max 1 (quot lease-ms 3))) TimeUnit/MILLISECONDS)))]
      (later))))

(defn- job-of [conn channel reply link lease-ms]
  (let [job (->Job (:value reply) channel (:deliveries reply) (:origin reply) (:lease reply) link (atom false))]
    (keep-extending! conn job lease-ms)
    job))

;; -- Handlers: core.async's end of a take or put --

(defn- commit!
  "The handler's callback, if it is still wanted; nil if its alts has gone another way."
  [handler]
  (.lock ^Lock handler)
  (try
    (when (impl/active? handler) (impl/commit handler))
    (finally (.unlock ^Lock handler))))

(defn- in-alts?
  "Whether the handler is an arm of an alts: those have a lock that others may be waiting for too."
  [handler]
  (not (zero? (impl/lock-id handler))))

(defn- sweep!
  "Cancels the parked takes whose alts has gone another way. What comes all the same goes back."
  [conn]
  (try
    (doseq [{:keys [handler where] :as parked} (:parked @(:state conn))
            :when (not (impl/active? handler))]
      (swap! (:state conn) update :parked disj parked)
      (when-let [[link id] @where]
        (link/post! link "cancel" {"request" id})))
    (catch Throwable error (report conn error))))

(defn- hand-over!
  "A reply to a take reaches its handler, or goes back."
  [conn {:keys [name lease-ms closed]} handler reply link]
  (let [give-back #(when (:lease reply) (link/give-back! link (:lease reply)))]
    (if (= (:status reply) "ok")
      (if-let [callback (commit! handler)]
        (if lease-ms
          (callback (job-of conn name reply link lease-ms))
          (do (when (:lease reply) (link/post! link "ack" {"lease" (:lease reply)}))
              (callback (:value reply))))
        (give-back))
      (do
        (if (instance? Throwable reply)
          (report conn reply)
          (when (= (:status reply) "closed") (reset! closed true)))
        (when-let [callback (commit! handler)]
          (callback nil))))))

(defn- take-members [name lease-ms]
  (cond-> {"channel" name} lease-ms (assoc "lease_ms" lease-ms)))

(defn- take-parked!
  "A take that may wait. In an alts it is leased, so that it can go back when another arm wins."
  [{:keys [conn name lease-ms] :as chan} handler]
  (let [arm? (in-alts? handler)
        parked {:handler handler :where (atom nil)}
        done #(when arm? (swap! (:state conn) update :parked disj parked))]
    (when arm? (swap! (:state conn) update :parked conj parked))
    (request! conn "take" name (take-members name (or lease-ms (when arm? handover-ms)))
              {:repeat? true :on-sent (fn [link id] (reset! (:where parked) [link id]))}
              (fn [reply link]
                (done)
                (if (and arm? (not lease-ms) (= "bad_request" (:code (ex-data reply))))
                  (request! conn "take" name (take-members name nil) {:repeat? true} #(hand-over! conn chan handler %1 %2)) ; a promise
                  (hand-over! conn chan handler reply link))))
    nil))

(defn- box [value]
  (reify clojure.lang.IDeref (deref [_] value)))

(defn- take-now!
  "poll!: one round trip. A box of what was taken (of nil if the channel is closed), or nil."
  [{:keys [conn name lease-ms closed]} handler]
  (let [outcome (promise)]
    (request! conn "take" name (take-members name lease-ms) {:repeat? true :timeout-ms 0} (fn [reply link] (deliver outcome [reply link])))
    (let [[reply link] @outcome]
      (cond
        (= (:status reply) "ok") (when (commit! handler)
                                   (box (if lease-ms (job-of conn name reply link lease-ms) (:value reply))))
        (= (:status reply) "closed") (do (reset! closed true) (commit! handler) (box nil))
        :else (do (when (instance? Throwable reply) (report conn reply)) nil)))))

(defn- put-members [name value]
  (when (nil? value)
    (throw (IllegalArgumentException. "Can't put nil on a channel")))
  {"channel" name "value" value})

(defn- put-outcome
  "true: it is in (or was shed by a channel that is there to shed). false: closed, or refused."
  [conn {:keys [closed]} reply]
  (cond
    (contains? #{"ok" "dropped"} (:status reply)) true
    (instance? Throwable reply) (do (report conn reply) false)
    :else (do (when (= (:status reply) "closed") (reset! closed true)) false)))

(defn- put-parked! [{:keys [conn name] :as chan} value handler]
  (request! conn "put" name (put-members name value) {:seq (swap! (:last-seq conn) inc)}
            (fn [reply _]
              (let [outcome (put-outcome conn chan reply)]
                (when-let [callback (commit! handler)]
                  (callback outcome)))))
  nil)

(defn- put-now!
  "offer!: one round trip."
  [{:keys [conn name] :as chan} value handler]
  (let [outcome (promise)]
    (request! conn "put" name (put-members name value) {:seq (swap! (:last-seq conn) inc) :timeout-ms 0} (fn [reply _] (deliver outcome reply)))
    (when-not (= (:status @outcome) "timeout")
      (let [put? (put-outcome conn chan @outcome)]
        (commit! handler)
        (box put?)))))

(defrecord Channel [conn name lease-ms closed]
  impl/ReadPort
  (take! [chan handler]
    (if (impl/blockable? handler)
      (take-parked! chan handler)
      (take-now! chan handler)))
  impl/WritePort
  (put! [chan value handler]
    (when (in-alts? handler)
      (throw (UnsupportedOperationException.
              (str "a put to the remote channel " name " cannot be an arm of core.async's alts!: it could not be withdrawn when another arm wins."
                   " Use millrace.core/alts!, which the daemon decides"))))
    (if (impl/blockable? handler)
      (put-parked! chan value handler)
      (put-now! chan value handler)))
  impl/Channel
  (close! [_]
    (reset! closed true)
    (request! conn "close" name {"channel" name} {:repeat? true}
              (fn [reply _] (when (instance? Throwable reply) (report conn reply))))
    nil)
  (closed? [_] @closed))

(defn chan
  "The daemon's channel of that name, as a core.async channel. It has to be there: see create!. What differs from a local one:

  - With {:lease-ms n} a take gives a Job: (:value job), and ack! or nack!. Until then the value stays the daemon's; the lease is extended by
    itself for as long as you hold the job. Without it a take is plain: the value is out of the channel.
  - In an alts! a take is leased while it is on its way, acknowledged when its arm commits, and given back uncounted when another has won.
  - A put in core.async's alts! cannot be withdrawn: it throws, and names millrace.core/alts!.
  - alts! with :default never waits for the network: a remote take is never ready at once, so :default wins unless a local arm is ready.
    poll! and offer! do ask the daemon, and block for one round trip: not for go blocks that must not wait.
  - closed? (of core.async's protocols) says what this process knows: it has closed it, or was told.
  - What core.async cannot say (no such channel, denied) goes to the connection's :on-error; the take gives nil, the put false."
  ([conn name] (chan conn name {}))
  ([conn name {:keys [lease-ms]}]
   (->Channel conn name lease-ms (atom false))))

;; -- What core.async does not have --

(defn- arm-members [arm]
  (if (vector? arm)
    {"put" (:name (first arm)) "value" (second arm)}
    {"take" (:name arm)}))

(defn alts!
  "The daemon's alts over remote channels of one connection: arms are channels (to take from) and [channel value] (to put). Exactly one
  happens. Returns a promise-chan of [value channel] as core.async's alts! has it (the value of a put: true, or false if closed); of
  [:timeout nil] after :timeout-ms (0: at once or not at all); or of an exception. :priority true: the first that can, in order.
  :lease-ms n: what is taken is a Job."
  [arms & {:keys [timeout-ms priority lease-ms]}]
  (let [channels (mapv #(if (vector? %) (first %) %) arms)
        conn (:conn (first channels))
        takes? (every? (complement vector?) arms)
        out (a/promise-chan)]
    (when-not (and (seq arms) (every? #(identical? conn (:conn %)) channels))
      (throw (IllegalArgumentException. "arms are remote channels of one connection")))
    (request! conn "alts" (:name (first channels))
              (cond-> {"arms" (mapv arm-members arms)} priority (assoc "priority" true) lease-ms (assoc "lease_ms" lease-ms))
              {:timeout-ms timeout-ms :repeat? takes?}
              (fn [{:keys [status arm] :as reply} link]
                (a/put! out
                        (cond
                          (instance? Throwable reply) reply
                          (= status "timeout") [:timeout nil]
                          :else (let [channel (channels arm)]
                                  [(cond
                                     (vector? (nth arms arm)) (not= status "closed")
                                     (= status "closed") nil
                                     (:lease reply) (job-of conn (:name channel) reply link lease-ms)
                                     :else (:value reply))
                                   channel])))))
    out))

(defn alts!!
  "alts!, blocking: [value channel], or throws."
  [arms & options]
  (let [outcome (a/<!! (apply alts! arms options))]
    (if (instance? Throwable outcome) (throw outcome) outcome)))

(defn create!
  "Makes a channel unless it is there with the same definition; its name, which the daemon makes up for nil. kind: :unbuffered :bounded
  :dropping :sliding :promise. Options: :capacity :ephemeral :durable :max-deliveries :dead-letter :max-waiters. Blocks."
  [conn name kind & {:keys [capacity ephemeral durable max-deliveries dead-letter max-waiters]}]
  (let [members (into {} (filter (comp some? val))
                      {"channel" name "kind" (clojure.core/name kind) "capacity" capacity "ephemeral" ephemeral "durable" durable
                       "max_deliveries" max-deliveries "dead_letter" dead-letter "max_waiters" max-waiters})
        made (:channel (await! conn "create" name members {:repeat? (some? name)}))]
    (when (and name ephemeral)
      (swap! (:state conn) update :ephemeral assoc name members))
    made))

(defn delete!
  "Removes a channel; how many values went with it, which only {:force true} allows. Blocks."
  [conn name & {:keys [force]}]
  (swap! (:state conn) update :ephemeral dissoc name)
  (:discarded (await! conn "delete" name {"channel" name "force" (boolean force)})))

(defn put-many!
  "Puts 1 to 10,000 values in order, in one step; how many were accepted. Blocks. ex-info with :code and :reply."
  [conn name values & {:keys [timeout-ms]}]
  (let [reply (await! conn "put" name {"channel" name "values" (vec values)} {:timeout-ms timeout-ms :seq (swap! (:last-seq conn) inc)})]
    (if (contains? #{"ok" "dropped"} (:status reply))
      (:accepted reply)
      (throw (ex-info (str "the put ended with " (:status reply)) {:code (:status reply) :reply reply})))))

(defn stat
  "A channel's kind, capacity, content, waiters and counters. Blocks."
  [conn name]
  (await! conn "stat" name {"channel" name} {:repeat? true}))

(defn ask!
  "Any op of the protocol, with its members as a map of strings; the reply as a map with keyword keys. Blocks. ex-info with :code."
  [conn op members]
  (await! conn op (or (members "channel") (members "from")) members))

(defn tap!
  "What enters `from` is carried to `to` from now on, inside the daemon; a tap that is there is now as the options say. Whether it is new.
  :match {\"/type\" \"order\"} carries only values that have that at that JSON pointer; :close false leaves `to` open when `from` has ended;
  :state :run :pause :mute or :solo. Blocks. `untap!` ends it. Unlike core.async's, it outlives this process."
  [conn from to & {:keys [match close state]}]
  (:created (ask! conn "tap" (cond-> {"from" from "to" to}
                               match (assoc "match" match) (false? close) (assoc "close" false) state (assoc "state" (name state))))))

(defn untap!
  "Ends a tap; closes nothing. Blocks."
  [conn from to]
  (ask! conn "untap" {"from" from "to" to})
  nil)

(defn subscribe!
  "A channel of our own, as `chan` makes it, with what enters `from` from now on. kind and :capacity say what happens while nobody takes:
  :sliding misses what is old, :dropping what is new, :bounded and :unbuffered hold `from` up. :match as in tap!. It goes with the connection:
  after a cut its takes give nil, and what came meanwhile is missed. close! ends it, and delete! of (:name channel) frees it. Blocks."
  [conn from kind & {:keys [capacity match]}]
  (chan conn (:to (ask! conn "tap" (cond-> {"from" from "kind" (name kind)} capacity (assoc "capacity" capacity) match (assoc "match" match))))))

(defn taps
  "A row for each tap from or to the channel, or for all, the oldest first; lazy, a page at a time."
  ([conn] (taps conn nil))
  ([conn channel]
   (letfn [(page [after]
             (lazy-seq
              (let [{:keys [taps more next]} (ask! conn "taps" (cond-> {} channel (assoc "channel" channel) after (assoc "after" after)))]
                (concat taps (when more (page next))))))]
     (page nil))))

(defn list
  "A row for each channel whose name fits the glob, in order of name; lazy, a page at a time."
  ([conn] (list conn "*"))
  ([conn match]
   (letfn [(page [after]
             (lazy-seq
              (let [{:keys [channels more next]} (ask! conn "list" (cond-> {"match" match} after (assoc "after" after)))]
                (concat channels (when more (page (or next (:channel (last channels)))))))))]
     (page nil))))
