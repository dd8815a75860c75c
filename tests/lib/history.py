"""What clients of a service that may fail have seen, and what must hold of it: nothing that was answered is lost, nothing plainly taken is given twice, nothing comes that nobody put, and each consumer
sees each producer's values in order."""
import collections
import threading


class History:
    """Values are (producer, number), of one channel each. Clients tell what they do as they do it, from any thread."""

    def __init__(self):
        self.lock = threading.Lock()
        self.asked, self.put = set(), set()  # put: answered with ok
        self.taken = collections.defaultdict(list)  # by consumer, in order
        self.leased = set()  # was given with a lease whose ack got no answer: it may come again, or not
        self.blind = 0  # plain takes without an answer: each may have taken one value
        self.left = []  # what is there in the end

    def ask_put(self, value):
        with self.lock:
            self.asked.add(value)

    def did_put(self, value):
        with self.lock:
            self.put.add(value)

    def took(self, consumer, value):
        with self.lock:
            self.taken[consumer].append(value)

    def take_without_answer(self):
        with self.lock:
            self.blind += 1

    def ack_without_answer(self, value):
        with self.lock:
            self.leased.add(value)

    def faults(self):
        """What does not hold, in words; empty: all does."""
        with self.lock:
            given = [value for values in self.taken.values() for value in values]
            seen = collections.Counter(given + self.left)
            found = [f"{value} was given {n} times" for value, n in seen.items() if n > 1]
            found += [f"{value} came, and nobody had put it" for value in seen if value not in self.asked]
            lost = self.put - set(seen) - self.leased
            if len(lost) > self.blind:
                found.append(f"{len(lost)} values are lost, of which {self.blind} may have been taken without an answer: {sorted(lost)[:10]}")
            for consumer, values in self.taken.items():
                last = {}
                for producer, number in values:
                    if number < last.get(producer, -1):
                        found.append(f"{consumer} was given {number} of {producer} behind {last[producer]}")
                    last[producer] = number
            return found
