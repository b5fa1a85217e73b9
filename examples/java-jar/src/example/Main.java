package example;

import java.util.List;

/** Prints the primes below a hundred. */
public final class Main {
    public static void main(String[] args) {
        List<Integer> primes = new Sieve(100).primes();
        System.out.println(primes.size() + " primes, the last is " + primes.get(primes.size() - 1));
    }
}
