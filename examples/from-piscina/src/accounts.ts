/** The accounts that both versions check passwords against. */
interface Account {
  readonly salt: string
  readonly digest: string
}

export const accounts = new Map<string, Account>([
  ["ada", { salt: "8f2c1d6a", digest: "c46951d5f68b4db3" }],
  // A damaged record: scryptSync throws.
  ["eve", JSON.parse("{}")]
])

/** Accepts only words. The expression backtracks: a long password that almost matches takes years. */
export const isWellFormed = (password: string): boolean => /^(\w+\s?)+$/.test(password)
