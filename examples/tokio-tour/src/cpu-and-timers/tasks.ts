/** Pool threads load this module. */
import { Task } from "effect-blocking"

const isPrime = (n: number): boolean => {
  for (let divisor = 2; divisor * divisor <= n; divisor++) if (n % divisor === 0) return false
  return n > 1
}

/** Counts primes by trial division, which takes a while. */
export const primesBelow = (end: number): number => {
  let count = 0
  for (let n = 0; n < end; n++) if (isPrime(n)) count++
  return count
}

export const countPrimes = Task.make(import.meta.url, "countPrimes", primesBelow)
