// Options of the schedule's two charts. What was drawn is solid, what is planned is paler and in
// steps; the line between them is now.

import uPlot from 'uplot'
import { num, type SiteClock } from './format'
import { peaks, type Horizon } from './horizon'
import { css } from './paint'
import { base, line } from './plots'

export interface HorizonLook {
  width: number
  clock: SiteClock
  color: (id: string) => string
  /** Told the time under the cursor, seconds; null where there is none. */
  onCursor: (t: number | null) => void
}

const steppedPaths = uPlot.paths.stepped!({ align: 1 })
export const cursorKey = 'horizon'

function start(l: HorizonLook, height: number, withTime: boolean): uPlot.Options {
  const o = base({ width: l.width, zone: l.clock.zone, onCursor: () => {} }, height, withTime, cursorKey)
  // Only a person moves the cursor: the chart's own word on it also comes with each redraw.
  o.hooks = {
    ready: [
      (u) => {
        u.over.addEventListener('mousemove', (e) => l.onCursor(u.posToVal(e.clientX - u.over.getBoundingClientRect().left, 'x')))
        u.over.addEventListener('mouseleave', () => l.onCursor(null))
      },
    ],
  }
  o.padding = [8, 22, withTime ? 0 : 4, 0]
  const x = o.axes![0]!
  x.space = 64
  // The day stands where it begins: a plan over two midnights must not be read as one day.
  x.values = (_u, splits) => splits.map((s) => (l.clock.minutes(s * 1000) === '00:00' ? l.clock.date(s * 1000).replace(/ \w+$/, '') : l.clock.minutes(s * 1000)))
  return o
}

const area = (color: string, alpha: string, stepped: boolean): uPlot.Series => ({
  stroke: css(color),
  fill: `${css(color)}${alpha}`,
  width: stepped ? 1 : 1.25,
  points: { show: false },
  spanGaps: false,
  ...(stepped ? { paths: steppedPaths } : {}),
})

/** Columns where a coincident peak threatens, the stronger the likelier; drawn below everything. */
const risk = (h: Horizon) => (u: uPlot) => {
  const { ctx, bbox } = u
  const all = peaks(h)
  const most = Math.max(1, ...all.map((p) => p.usd))
  ctx.save()
  ctx.fillStyle = css('--warn-fill')
  for (const p of all) {
    const a = u.valToPos(p.from, 'x', true)
    ctx.globalAlpha = 0.08 + 0.2 * (p.usd / most)
    ctx.fillRect(a, bbox.top, u.valToPos(p.to, 'x', true) - a, bbox.height)
  }
  ctx.restore()
}

/** Says above each column how likely its peak is, where there is room for the words. */
const riskWords = (h: Horizon) => (u: uPlot) => {
  const { ctx, bbox } = u
  const r = devicePixelRatio
  ctx.save()
  ctx.font = `${12 * r}px Plex, Arial, sans-serif`
  ctx.textBaseline = 'top'
  ctx.textAlign = 'left'
  ctx.fillStyle = css('--warn')
  let end = 0
  for (const p of [...peaks(h)].sort((a, b) => b.usd - a.usd).slice(0, 3)) {
    const words = p.chance == null ? `peak +${num(p.usd)} $` : `peak ${num(p.chance * 100)} %`
    const w = ctx.measureText(words).width
    const x = Math.min(u.valToPos(p.from, 'x', true) + 3 * r, bbox.left + bbox.width - w)
    if (end > 0 && x < end + 8 * r && x + w > end - 120 * r) continue
    ctx.fillText(words, x, bbox.top + 20 * r)
    end = x + w
  }
  ctx.restore()
}

/** The line of now, over everything, with its word in the upper chart. */
const nowLine = (h: Horizon, word: string) => (u: uPlot) => {
  const { ctx, bbox } = u
  const x = Math.round(u.valToPos(h.now, 'x', true)) + 0.5
  const r = devicePixelRatio
  ctx.save()
  ctx.strokeStyle = css('--ink')
  ctx.lineWidth = 1.5 * r
  ctx.beginPath()
  ctx.moveTo(x, bbox.top)
  ctx.lineTo(x, bbox.top + bbox.height)
  ctx.stroke()
  if (word) {
    ctx.font = `${12 * r}px Plex, Arial, sans-serif`
    ctx.textBaseline = 'top'
    ctx.textAlign = 'left'
    const w = ctx.measureText(word).width + 10 * r
    ctx.fillStyle = css('--ink')
    ctx.fillRect(x, bbox.top, w, 17 * r)
    ctx.fillStyle = css('--panel')
    ctx.fillText(word, x + 5 * r, bbox.top + 2 * r)
  }
  ctx.restore()
}

/** What is sold as reserve: hatched, below the top of what is planned, since it must be able to drop. */
const held = (h: Horizon) => (u: uPlot) => {
  const { ctx, bbox } = u
  const top = h.layers.at(-1)?.willTop
  if (!top) return
  ctx.save()
  ctx.beginPath()
  for (let i = 0; i < h.times.length - 1; i++) {
    const w = h.held[i]
    const t = top[i]
    if (!w || t == null) continue
    const x0 = u.valToPos(h.times[i]!, 'x', true)
    const x1 = u.valToPos(h.times[i + 1]!, 'x', true)
    const y0 = u.valToPos(t, 'y', true)
    ctx.rect(x0, y0, x1 - x0, u.valToPos(Math.max(0, t - w), 'y', true) - y0)
  }
  ctx.clip()
  ctx.strokeStyle = css('--ink')
  ctx.lineWidth = devicePixelRatio
  ctx.beginPath()
  const gap = 7 * devicePixelRatio
  for (let x = bbox.left - bbox.height; x < bbox.left + bbox.width; x += gap) {
    ctx.moveTo(x, bbox.top + bbox.height)
    ctx.lineTo(x + bbox.height, bbox.top)
  }
  ctx.stroke()
  ctx.restore()
}

export function powerOptions(l: HorizonLook, h: Horizon): uPlot.Options {
  const o = start(l, 290, false)
  const peak = Math.max(0.1, ...[h.limit, h.meter, h.planned, ...h.layers.flatMap((s) => [s.wasTop, s.willTop])].flat().map((v) => v ?? 0))
  o.scales!['y'] = { range: [0, peak * 1.07] }
  o.axes![1]!.values = (_u, s, _i, _space, step) => s.map((v) => num(v, Math.max(0, Math.ceil(-Math.log10(step) - 1e-9))))
  for (const s of h.layers) o.series.push(area(l.color(s.id), 'b8', false))
  for (const s of h.layers) o.series.push(area(l.color(s.id), '66', true))
  const n = h.layers.length
  // Each area is filled down to the one below it, never through a gap in it.
  o.bands = [0, n].flatMap((off, k) => h.layers.slice(1).map((s, i) => ({ series: [off + i + 2, off + i + 1] as [number, number], fill: `${css(l.color(s.id))}${k === 0 ? 'b8' : '66'}` })))
  o.series.push(line('--ink-2', { dash: [2, 4], width: 1.5, paths: steppedPaths })) // bought ahead
  o.series.push(line('--ink', { dash: [6, 4], width: 1.5, paths: steppedPaths })) // planned
  o.series.push(line('--ink', { width: 1.25 })) // meter
  o.series.push(line('--limit', { width: 2, paths: steppedPaths }))
  o.hooks!.drawClear = [risk(h)]
  o.hooks!.draw = [held(h), riskWords(h), nowLine(h, `now ${l.clock.minutes(h.now * 1000)}`)]
  return o
}

export function powerData(h: Horizon): uPlot.AlignedData {
  const block = h.block.map((v) => (v ? v : null))
  return [h.times, ...h.layers.map((s) => s.wasTop), ...h.layers.map((s) => s.willTop), block, h.planned, h.meter, h.limit]
}

const rounds = [0, 100, 1000, -100, 50, 500, 200, 5000, -50, 20, 2000, 10_000, -20, -500]

export function priceOptions(l: HorizonLook, h: Horizon): uPlot.Options {
  const o = start(l, 150, true)
  const known = [h.price, h.expected, h.high, h.low, h.marginal, h.dayAhead].flat().filter((v): v is number => v != null)
  const hi = Math.max(60, ...known)
  const lo = Math.min(0, ...known)
  o.scales!['y'] = { distr: 4, asinh: 60, range: [lo < 0 ? Math.min(lo * 1.3, -20) : 0, hi * 1.25] }
  const y = o.axes![1]!
  y.splits = (u, _a, min, max) => {
    const taken: number[] = []
    const out: number[] = []
    for (const v of rounds) {
      if (v < min || v > max) continue
      const at = u.valToPos(v, 'y')
      if (taken.some((t) => Math.abs(t - at) < 16)) continue
      taken.push(at)
      out.push(v)
    }
    return out.sort((a, b) => a - b)
  }
  y.filter = (_u, s) => s
  y.values = (_u, s) => s.map((v) => num(v))
  const edge = { width: 0, paths: steppedPaths, stroke: 'transparent' }
  o.series.push(line('--ink', edge), line('--ink', edge))
  o.bands = [{ series: [2, 1], fill: `${css('--ink-3')}40` }]
  o.series.push(line('--ink-2', { dash: [2, 4], width: 1.25, paths: steppedPaths })) // day-ahead
  for (const k of h.keep) o.series.push(line(l.color(k.id), { width: 1, paths: steppedPaths }))
  o.series.push(line('--marginal', { width: 1.75, dash: [7, 4], paths: steppedPaths }))
  o.series.push(line('--price', { width: 1.75, paths: steppedPaths })) // expected
  o.series.push(line('--price', { width: 1.5, paths: steppedPaths })) // what it was
  o.hooks!.drawClear = [risk(h)]
  o.hooks!.draw = [nowLine(h, '')]
  return o
}

export function priceData(h: Horizon): uPlot.AlignedData {
  return [h.times, h.low, h.high, h.dayAhead, ...h.keep.map((k) => k.row), h.marginal, h.expected, h.price]
}
