/** What both versions check passwords against. */
interface Account {
  readonly salt: string
  readonly digest: string
}

export const accounts = new Map<string, Account>([
  ["ada", { salt: "8f2c1d6a", digest: "c46951d5f68b4db3" }],
  // Damaged: scryptSync throws when it meets it.
  ["eve", JSON.parse("{}")]
])

/** Words, and nothing else. It backtracks: a long password that almost fits takes years. */
export const isWellFormed = (password: string): boolean => /^(\w+\s?)+$/.test(password)
