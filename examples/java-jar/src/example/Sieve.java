package example;

import java.util.BitSet;
import java.util.List;
import java.util.stream.Collectors;

/** The sieve of Eratosthenes. */
record Sieve(int limit) {
    List<Integer> primes() {
        BitSet composite = new BitSet(limit);
        for (int i = 2; i * i < limit; i++) {
            for (int j = i * i; !composite.get(i) && j < limit; j += i) {
                composite.set(j);
            }
        }
        composite.set(0, 2);
        composite.flip(0, limit);
        return composite.stream().boxed().collect(Collectors.toList());
    }
}
