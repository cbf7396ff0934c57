/**
 * Finds the few patterns of STYLE.md section 21 that a program can find: sentences that begin with a clause
 * ("What …", "Who …"), phrases that stop the reader, and names that the field does not know. It reads comments,
 * strings and Markdown, and skips headings, questions and code.
 *
 *     node scripts/check-words.ts [file or folder …]
 */
import { globSync, readFileSync, statSync } from "node:fs"
import { join, relative } from "node:path"

const root = join(import.meta.dirname, "..")
const ignored = /(^|\/)(node_modules|dist|coverage|CHANGELOG\.md|check-words\.ts)(\/|$)|\.vitepress\/(cache|dist)/

const patterns: ReadonlyArray<readonly [pattern: RegExp, advice: string]> = [
  [
    /(?:^|[.!?:] |[.!?]\) )(?:What|Who|Whoever|Whatever|Whose|Whom) [^.?!]*(?:[.!:;]|$)/,
    "begin with the thing, not with a clause"
  ],
  [/\b(?:is|are|was|were|be) none\b/, "say what there is not: \"no …\", \"undefined\""],
  [/\bbesides of\b/, "besides, in addition to"],
  [/\b(?:is|are) so many\b|\bso many as\b|\bas many, /, "name the number"],
  [/\b(?:whoever|whomever)\b/i, "name the one who does it"],
  [/\bhurry|\bhurried\b/i, "shut down now, force"],
  [/\bworn\b/i, "due for recycling"],
  [/\bpretend(?:s|ed)?\b/i, "simulated"],
  [/\bdealer\b/i, "dispatcher"],
  [/\bstray errors?\b/i, "uncaught error"]
]

interface Piece {
  readonly line: number
  readonly text: string
}

/** Paragraphs, list items and table cells, without code. */
const piecesOfMarkdown = (source: string): ReadonlyArray<Piece> => {
  const pieces: Array<Piece> = []
  let piece: { line: number; text: string } | undefined
  let inFence = false
  const lines = source.split("\n")
  for (const [index, raw] of lines.entries()) {
    const fence = /^\s*(?:```|~~~)/.test(raw)
    if (fence) inFence = !inFence
    const line = raw.trim()
    const ends = fence || inFence || line === "" || /^(?:#|\||[-*] |\d+\. |>|:::)/.test(line)
    if (ends) piece = undefined
    if (fence || inFence || line === "" || line.startsWith("#")) continue
    if (line.startsWith("|")) {
      // The first row is the heading of the table.
      const previous = lines[index - 1] ?? ""
      if (!previous.startsWith("|")) continue
      for (const cell of line.split("|")) pieces.push({ line: index + 1, text: withoutCode(cell.trim()) })
      continue
    }
    const text = withoutCode(line.replace(/^(?:[-*] |\d+\. |> ?)+/, ""))
    if (piece === undefined) pieces.push(piece = { line: index + 1, text })
    else piece.text += ` ${text}`
  }
  return pieces
}

const withoutCode = (text: string): string => text.replace(/`[^`]*`/g, "code").replace(/\*\*|__/g, "")

const token = /\/\*[\s\S]*?\*\/|\/\/[^\n]*|"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*'|`(?:[^`\\]|\\.)*`/g

/** Comments, those on lines of their own joined, and strings of some words. */
const piecesOfCode = (source: string): ReadonlyArray<Piece> => {
  const pieces: Array<Piece> = []
  let comment: { line: number; end: number; text: string } | undefined
  for (const match of source.matchAll(token)) {
    const [found] = match
    const line = source.slice(0, match.index).split("\n").length
    if (found.startsWith("//")) {
      const text = found.slice(2).trim()
      if (comment !== undefined && comment.end === line - 1) {
        comment.text += ` ${text}`
        comment.end = line
      } else {
        comment = { line, end: line, text }
        pieces.push(comment)
      }
    } else if (found.startsWith("/*")) {
      const inner = found.slice(2, -2).split("\n").map((line) => line.replace(/^\s*\*? ?/, "")).join("\n")
      const prose = inner.replace(/@example[\s\S]*?(?=\n@|$)/g, "").replace(/^@\w+ ?/gm, "\n\n")
      for (const piece of piecesOfMarkdown(prose)) pieces.push({ line: line + piece.line - 1, text: piece.text })
    } else if (found.split(" ").length > 3) {
      pieces.push({ line, text: found.slice(1, -1) })
    }
  }
  return pieces
}

const given = process.argv.slice(2)
const files = (given.length > 0 ? given : ["."]).flatMap((path) =>
  statSync(path).isDirectory()
    ? globSync("**/*.{ts,mts,cts,mjs,md}", { cwd: path, exclude: (name) => ignored.test(name) })
      .map((name) => join(path, name))
    : [path]
).filter((path) => !ignored.test(path.replaceAll("\\", "/")))

let found = 0
for (const path of files.toSorted()) {
  const source = readFileSync(path, "utf8")
  for (const { line, text } of path.endsWith(".md") ? piecesOfMarkdown(source) : piecesOfCode(source)) {
    for (const [pattern, advice] of patterns) {
      const match = pattern.exec(text)
      if (match === null) continue
      found++
      console.log(`${relative(root, path)}:${line}: ${match[0].replace(/^[.:!?)]+ /, "").slice(0, 90)}\n    ${advice}`)
    }
  }
}
if (found > 0) {
  console.log(`\n${found} ${found === 1 ? "sentence" : "sentences"} to rewrite`)
  process.exitCode = 1
}
