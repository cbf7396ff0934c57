/** Windows has no named pipes of a path, and no signals that a program handles: tests of them are skipped there. */
export const windows = process.platform === "win32"
