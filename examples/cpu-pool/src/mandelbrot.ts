/** The computation: the edge of the Mandelbrot set, in colour. Plain functions, without threads. */

export const width = 600
export const height = 400
export const channels = 3

/** The part of the set that is called the elephant valley. */
const center = { x: 0.2862, y: 0.0119 }
const scale = 0.0145 / width

const samples = 2 // across and down, for each pixel
const maxIterations = 400
const escape = 1e6 // squared; a large value makes the colours smooth

type Rgb = readonly [red: number, green: number, blue: number]

/** The colour of points inside the set, which never escape. */
const inside: Rgb = [0.024, 0.016, 0.055]

/** The light falls onto the relief from the upper right. */
const light = { x: 0.66, y: 0.53, height: 1.3 }

/** The colour of a point in linear light. The hue shows how soon it escapes, the shade shows the slope towards the set. */
const colorOf = (cx: number, cy: number): Rgb => {
  let x = 0, y = 0, dx = 0, dy = 0, squared = 0, n = 0
  while (squared <= escape) {
    if (n++ === maxIterations) return inside
    const slope = 2 * (x * dx - y * dy) + 1
    dy = 2 * (x * dy + y * dx)
    dx = slope
    const next = x * x - y * y + cx
    y = 2 * x * y + cy
    x = next
    squared = x * x + y * y
  }
  const slope = Math.hypot(dx, dy)
  const length = Math.sqrt(squared) * slope
  const towardsLight = ((x * dx + y * dy) * light.x + (y * dx - x * dy) * light.y) / length
  const lit = Math.max(0, (towardsLight + light.height) / (1 + light.height))
  const distance = Math.sqrt(squared) * Math.log(squared) / slope / scale // from the set, in pixels
  const brightness = lit * (0.35 + 0.65 * Math.min(1, Math.sqrt(distance / 2)))
  const smooth = n + 1 - Math.log2(Math.log(squared) / Math.log(escape))
  const hue = 0.8 * Math.PI * Math.log(smooth) + 3.2
  return [
    brightness * (0.5 + 0.5 * Math.cos(hue)),
    brightness * (0.5 + 0.42 * Math.cos(hue + 0.9)),
    brightness * (0.55 + 0.4 * Math.cos(hue + 2.4))
  ]
}

/** The point of the plane at a pixel of the picture. */
const pointAt = (px: number, py: number) => ({
  x: center.x + (px - width / 2) * scale,
  y: center.y - (py - height / 2) * scale
})

/** Converts linear light into a value for the screen. */
const byte = (value: number): number => Math.floor(255 * Math.sqrt(value))

/** Renders one row of pixels, each the mean of its samples. */
export const renderRow = (y: number): Uint8Array => {
  const row = new Uint8Array(width * channels)
  for (let x = 0; x < width; x++) {
    let red = 0, green = 0, blue = 0
    for (let sample = 0; sample < samples ** 2; sample++) {
      const point = pointAt(x + (sample % samples + 0.5) / samples, y + (Math.floor(sample / samples) + 0.5) / samples)
      const [r, g, b] = colorOf(point.x, point.y)
      red += r
      green += g
      blue += b
    }
    row.set([red, green, blue].map((sum) => byte(sum / samples ** 2)), x * channels)
  }
  return row
}

/** Whether a rendered pixel has the colour of the inside. */
export const isInside = (pixels: Uint8Array, px: number, py: number): boolean =>
  inside.every((value, channel) => pixels[(py * width + px) * channels + channel] === byte(value))

/** Whether a pixel is in the largest part of the set, by a formula that needs no iteration. */
export const isInMainCardioid = (px: number, py: number): boolean => {
  const { x, y } = pointAt(px, py)
  const q = (x - 0.25) ** 2 + y ** 2
  return q * (q + x - 0.25) < y ** 2 / 4
}
