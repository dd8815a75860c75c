(ns millrace.wire
  "Frames, JSON and addresses: what needs no connection."
  (:require [clojure.data.json :as json]
            [clojure.string :as str])
  (:import (java.io DataInputStream DataOutputStream EOFException)
           (java.nio.charset StandardCharsets)))

(def least-frame "What every daemon takes." (* 64 1024))
(def largest-frame (dec (* 16 1024 1024)))
(def ^:private reply-extra "A reply may be so much longer than a request." 1024)

(defn- number-no-double-holds?
  "Whether a text may have one: an exponent of three digits."
  [^String text]
  (boolean (re-find #"[0-9][eE][+]?[0-9]{3}" text)))

(defn decode
  "JSON text to Clojure. Integers have any size; where a double might not hold a number all decimals are BigDecimals."
  [^String text key-fn]
  (json/read-str text :key-fn key-fn :bigdec (number-no-double-holds? text)))

(defn encode
  "Clojure to JSON text. Throws for what JSON cannot say."
  ^String [value]
  (json/write-str value :escape-unicode false :escape-slash false :escape-js-separators false))

(defn write-frame!
  "A request's bytes. IllegalArgumentException if it is longer than max-frame, and nothing was written."
  [^DataOutputStream out ^String text max-frame]
  (let [body (.getBytes text StandardCharsets/UTF_8)]
    (.writeInt out (alength body))
    (.write out body)))

(defn check-length
  "The text, if it fits into a frame of the daemon's."
  ^String [^String text max-frame]
  (let [length (alength (.getBytes text StandardCharsets/UTF_8))]
    (when (> length max-frame)
      (throw (IllegalArgumentException. (str "the request has " length " bytes, and a frame of this daemon at most " max-frame)))))
  text)

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
  (let [text (str/trim (or url (System/getenv "MILLRACE_URL") "tcp://127.0.0.1:7223"))]
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
