/**
 * One process of the benchmark. It measures one row of one contender and sends the values to
 * its parent, which then kills it.
 */
const [row, name, scale] = process.argv.slice(2)

/** `--scale` makes everything smaller, for a quick check. */
const settings = {
  millis: (millis) => millis * Number(scale),
  count: (count) => Math.max(1, Math.round(count * Number(scale)))
}

const { folder = ".", measure } = await import(`./rows/${row}.mjs`)
const contender = await import(`./contenders/${folder}/${name}.mjs`)
process.send(await measure(contender, settings, name))
