/** Windows has no named pipes with a path, and no signals for programs: tests of them are skipped there. */
export const windows = process.platform === "win32"
