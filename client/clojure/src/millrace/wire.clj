(ns millrace.wire
  "Frames, JSON and addresses: what needs no connection."
  (:require [clojure.data.json :as json]
            [clojure.string :as str])
  (:import (java.io DataInputStream DataOutputStream EOFException)
           (java.nio CharBuffer)
           (java.nio.charset CharacterCodingException StandardCharsets)))

(def least-frame "What every daemon takes." (* 64 1024))
(def largest-frame (dec (* 16 1024 1024)))
(def ^:private reply-extra "A reply may be so much longer than a request." 1024)

(defn- number-no-double-holds?
  "Whether a text may have one: an exponent of three digits, or very many digits."
  [^String text]
  (boolean (re-find #"[0-9][eE][+]?[0-9]{3}|[0-9]{250}" text)))

(defn decode
  "JSON text to Clojure. Integers have any size; where a double might not hold a number all decimals are BigDecimals. NumberFormatException
  for a number that is too large for them, too."
  [^String text key-fn]
  (json/read-str text :key-fn key-fn :bigdec (number-no-double-holds? text)))

(defn decode-reply
  "A reply, with strings for names. One with a number that nothing here holds is an error, with the :code \"undecodable\" and the whole text
  as `raw`; all but its value is as it was."
  [^String text]
  (try
    (decode text identity)
    (catch NumberFormatException _
      (assoc (dissoc (json/read-str text) "value" "values")
             "status" "error" "error" "undecodable" "message" "a number that Clojure cannot hold" "raw" text))))

(defn encode
  "Clojure to JSON text. Throws for what JSON cannot say."
  ^String [value]
  (try
    (json/write-str value :escape-unicode false :escape-slash false :escape-js-separators false)
    (catch StackOverflowError _
      (throw (IllegalArgumentException. "a value is nested at most 128 deep")))))

(defn bytes-of
  "A text in UTF-8. IllegalArgumentException for what that cannot say."
  ^bytes [^String text]
  (let [encoded (try (.encode (.newEncoder StandardCharsets/UTF_8) (CharBuffer/wrap text))
                     (catch CharacterCodingException _
                       (throw (IllegalArgumentException. "a string has a lone surrogate, which no JSON text can say"))))
        bytes (byte-array (.remaining encoded))]
    (.get encoded bytes)
    bytes))

(defn write-frame!
  "A request's bytes."
  [^DataOutputStream out ^bytes body]
  (.writeInt out (alength body))
  (.write out body))

(defn check-length
  "The bytes, if they fit into a frame of the daemon's; else an IllegalArgumentException."
  ^bytes [^bytes body max-frame]
  (when (> (alength body) max-frame)
    (throw (IllegalArgumentException. (str "the request has " (alength body) " bytes, and a frame of this daemon at most " max-frame))))
  body)

(defn read-frame
  "The next frame's text; nil at the end of the connection. A frame that no daemon sends is an IllegalStateException."
  [^DataInputStream in max-frame]
  (when-let [length (try (.readInt in) (catch EOFException _ nil))]
    (when-not (< 0 length (+ max-frame reply-extra 1))
      (throw (IllegalStateException. (str "not Millrace's protocol: a frame of " length " bytes"))))
    (let [body (byte-array length)]
      (.readFully in body)
      (String. body StandardCharsets/UTF_8))))

(def ^:private ports {"tcp" 7223 "tls" 7225})

(defn- address [scheme rest part]
  (let [[_ v6 host port] (re-matches #"(?:\[([0-9A-Fa-f:.%]+)\]|([^\[\]:/@]+))(?::(\d{1,5}))?/?" rest)
        port (when (or v6 host) (if port (parse-long port) (ports scheme)))]
    (cond
      (and (= scheme "unix") (str/starts-with? rest "/")) {:scheme scheme :path rest :text (str "unix://" rest)}
      (and (ports scheme) port (< 0 port 65536))
      {:scheme scheme :host (or v6 host) :port port :text (str scheme "://" (if v6 (str "[" v6 "]") host) ":" port)}
      :else (throw (IllegalArgumentException.
                    (str (pr-str part) " is no daemon's address: tcp://host:port (IPv6 in brackets), tls://host:port or unix:///path"))))))

(defn addresses
  "One or several addresses in a text, with commas or white space between them (\"tcp://a,b,c\" is three); nil: $MILLRACE_URL, or the
  daemon on this machine."
  [url]
  (let [text (str/trim (or url (not-empty (System/getenv "MILLRACE_URL")) "tcp://127.0.0.1:7223"))]
    (:found (reduce (fn [{:keys [scheme found]} part]
                      (let [[_ given rest] (re-matches #"(?:([a-z]*)://)?(.*)" part)
                            scheme (or given scheme)]
                        {:scheme scheme :found (conj found (address scheme rest part))}))
                    {:scheme nil :found []}
                    (str/split text #"[,\s]+")))))

(defn group-of
  "The group that a channel belongs to: what stands in the first pair of braces in its name, else \"default\"."
  [channel]
  (or (second (re-find #"\{([^}]+)\}" (str channel))) "default"))
