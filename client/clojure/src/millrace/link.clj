(ns millrace.link
  "One connection to one daemon: requests out, and each reply to whom it belongs. It never connects again: it ends, once.

  Two threads of its own: one reads and one writes, so that whoever asks never waits for the network, and a slow callback never holds up
  the reading (callbacks are run by core.async's pool)."
  (:require [clojure.core.async.impl.dispatch :as dispatch]
            [millrace.wire :as wire])
  (:import (java.io BufferedInputStream BufferedOutputStream DataInputStream DataOutputStream InputStream OutputStream)
           (java.net InetSocketAddress Socket StandardProtocolFamily UnixDomainSocketAddress)
           (java.nio ByteBuffer)
           (java.nio.channels SocketChannel)
           (java.util.concurrent LinkedBlockingQueue TimeUnit)
           (javax.net.ssl SSLContext SSLParameters SSLSocket)))

(def ^:private heartbeat-ms "After so much silence a ping asks; after as much again the daemon is taken to be gone." 15000)

;; address, features (a set), max-frame; `state` is an atom of {:last-id :pending {id {:on-reply :raw}} :why}. `why` says that it has ended.
(defrecord Link [address state outbox close-socket heard])

(defn open?
  "Whether requests can be sent."
  [link]
  (nil? (:why @(:state link))))

(defn- channel-streams
  "[input output] of a channel, for buffered streams. Those of java.nio.channels.Channels let nobody write while somebody reads (before Java 19)."
  [^SocketChannel channel]
  [(proxy [InputStream] []
     (read [^bytes bytes from n] (.read channel (ByteBuffer/wrap bytes from n))))
   (proxy [OutputStream] []
     (write [^bytes bytes from n]
       (let [buffer (ByteBuffer/wrap bytes from n)]
         (while (.hasRemaining buffer)
           (.write channel buffer)))))])

(defn- shake-hands!
  "The plain socket's, as one of TLS."
  ^SSLSocket [^Socket plain ^SSLContext context {:keys [host port]}]
  (let [^SSLSocket socket (.createSocket (.getSocketFactory context) plain ^String host (int port) true)]
    (.setSSLParameters socket (doto ^SSLParameters (.getSSLParameters socket) (.setEndpointIdentificationAlgorithm "HTTPS")))
    (.startHandshake socket)
    socket))

(defn- open-socket
  "[input output close!]"
  [{:keys [scheme path host port] :as address} tls timeout-ms]
  (if (= scheme "unix")
    (let [channel (SocketChannel/open StandardProtocolFamily/UNIX)]
      (try
        (.connect channel (UnixDomainSocketAddress/of ^String path))
        (conj (channel-streams channel) #(.close channel))
        (catch Throwable error (.close channel) (throw error))))
    (let [plain (Socket.)]
      (try
        (.connect plain (InetSocketAddress. ^String host (int port)) (int timeout-ms))
        (.setSoTimeout plain (int timeout-ms)) ; who takes connections need not answer
        (let [^Socket socket (if (= scheme "tls") (shake-hands! plain (or tls (SSLContext/getDefault)) address) plain)]
          (.setSoTimeout plain 0)
          (.setTcpNoDelay socket true)
          (.setKeepAlive socket true)
          [(.getInputStream socket) (.getOutputStream socket) #(.close socket)])
        (catch Throwable error (.close plain) (throw error))))))

(defn end!
  "Ends it: everybody who waits gets {:lost why}; with :stranger? if it is no daemon that answers, and asking again is vain."
  [link why & {:keys [stranger?]}]
  (let [[before _] (swap-vals! (:state link) (fn [state] (if (:why state) state (assoc state :why why :pending {}))))]
    (when-not (:why before)
      (.offer ^LinkedBlockingQueue (:outbox link) ::end)
      (try ((:close-socket link)) (catch Exception _ nil))
      (doseq [[_ {:keys [on-reply]}] (:pending before)]
        (dispatch/run #(on-reply {:lost why :stranger? stranger?}))))))

(defn send!
  "Sends a request; its id. on-reply is called once, by core.async's pool: with the reply (a map with keyword keys, the value as key-fn
  has it), or {:lost why} if the connection ended first. Throws for what cannot be sent; {:lost} at once if it has ended."
  [link op members on-reply]
  (let [[_ {:keys [last-id why]}] (swap-vals! (:state link) (fn [state]
                                                              (if (:why state)
                                                                state
                                                                (update state :last-id inc))))]
    (if why
      (do (dispatch/run #(on-reply {:lost why})) nil)
      (let [body (wire/check-length (wire/bytes-of (wire/encode (assoc members "id" last-id "op" op))) @(:max-frame link))
            [before _] (swap-vals! (:state link) (fn [state]
                                                   (if (:why state)
                                                     state
                                                     (assoc-in state [:pending last-id] {:on-reply on-reply}))))]
        (if (:why before)
          (dispatch/run #(on-reply {:lost (:why before)}))
          (.offer ^LinkedBlockingQueue (:outbox link) body))
        last-id))))

(defn post!
  "A request whose outcome nobody waits for."
  [link op members]
  (send! link op members (fn [_] nil)))

(defn give-back!
  "A value that nobody worked on returns to its place."
  [link lease]
  (post! link "nack" (cond-> {"lease" lease} (contains? @(:features link) "once") (assoc "counted" false))))

(defn- top-key
  "Keys of the envelope are keywords; those inside values are key-fn's."
  [reply key-fn]
  (let [inner (fn inner [value]
                (cond (map? value) (into {} (map (fn [[k v]] [(key-fn k) (inner v)])) value)
                      (sequential? value) (mapv inner value)
                      :else value))]
    (into {} (map (fn [[k v]]
                    [(keyword k) (if (contains? #{"value" "values"} k)
                                   (if (= key-fn identity) v (inner v))
                                   (if (coll? v) (inner v) v))]))
          reply)))

(defn- read-loop [link ^DataInputStream in key-fn]
  (try
    (loop []
      (if-let [text (wire/read-frame in @(:max-frame link))]
        (let [reply (top-key (wire/decode-reply text) key-fn)
              id (:id reply)
              [before _] (swap-vals! (:state link) update :pending dissoc id)]
          (reset! (:heard link) (System/nanoTime))
          (when (and (= (:error reply) "undecodable") (:lease reply))
            (give-back! link (:lease reply)))
          (when-let [{:keys [on-reply]} (get-in before [:pending id])]
            (dispatch/run #(on-reply reply)))
          (recur))
        (end! link (str (:text (:address link)) " has ended the connection"))))
    (catch Throwable error ; whatever it is, nobody may wait in vain
      (end! link (str (:text (:address link)) ": " (or (.getMessage error) (class error)))
            :stranger? (not (instance? java.io.IOException error))))))

(defn- silent?
  "Asks a daemon that has said nothing for a while; true if it has said nothing for much longer."
  [link]
  (let [silence-ms (quot (- (System/nanoTime) @(:heard link)) 1000000)]
    (when (> silence-ms heartbeat-ms)
      (post! link "ping" {}))
    (> silence-ms (* 2 heartbeat-ms))))

(defn- write-loop [link ^DataOutputStream out]
  (let [^LinkedBlockingQueue outbox (:outbox link)]
    (try
      (loop [body (.poll outbox heartbeat-ms TimeUnit/MILLISECONDS)]
        (cond
          (= body ::end) nil
          (nil? body) (if (silent? link)
                        (end! link (str (:text (:address link)) " is silent"))
                        (recur (.poll outbox heartbeat-ms TimeUnit/MILLISECONDS)))
          :else (do (wire/write-frame! out body)
                    (when (.isEmpty outbox) (.flush out))
                    (recur (.poll outbox heartbeat-ms TimeUnit/MILLISECONDS)))))
      (catch Throwable error
        (end! link (str (:text (:address link)) ": " (or (.getMessage error) (class error))))))))

(defn- thread! [name body]
  (doto (Thread. ^Runnable body ^String name) (.setDaemon true) (.start)))

(defn open!
  "Connects, shakes hands and says hello, all within timeout-ms. An ex-info with :code if the daemon does not let us in, or an exception of
  the network's. Blocks."
  [address {:keys [name token tls key-fn]} timeout-ms]
  (let [[in out close!] (open-socket address tls timeout-ms)
        link (-> (->Link address (atom {:last-id 0 :pending {}}) (LinkedBlockingQueue.) close! (atom (System/nanoTime)))
                 (assoc :features (atom #{}) :max-frame (atom wire/least-frame)))
        hello (promise)]
    (thread! "millrace reader" #(read-loop link (DataInputStream. (BufferedInputStream. in 65536)) key-fn))
    (thread! "millrace writer" #(write-loop link (DataOutputStream. (BufferedOutputStream. out 65536))))
    (send! link "hello" (cond-> {"protocol" 1 "name" name} token (assoc "token" token)) #(deliver hello %))
    (let [reply (deref hello timeout-ms {:lost "no answer in time"})]
      (when-not (= (:status reply) "ok")
        (end! link "the hello was not answered")
        (throw (ex-info (str (:text address) ": " (or (:lost reply) (:message reply))) {:code (or (:error reply) "connection_lost") :reply reply})))
      (reset! (:features link) (set (:features reply)))
      (reset! (:max-frame link) (min wire/largest-frame (max wire/least-frame (long (or (:max_frame_bytes reply) 0)))))
      link)))
