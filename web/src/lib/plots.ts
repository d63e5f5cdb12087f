// Options of the three uPlot charts: they share the time axis, the cursor and the left margin.

import uPlot from 'uplot'
import { num } from './format'
import { css } from './paint'
import type { Trend } from './trend'

export interface Look {
  width: number
  zone: string
  colors: Map<string, string>
  onCursor: (i: number | null) => void
}

const font = '12px Plex, Arial, sans-serif'
// Round values in the order in which they deserve a label.
const rounds = [0, 100, 1000, -100, 10_000, -1000, 50, 500, 5000, 200, -50, 2000, 20, -500, -20]

/** Labels for an axis that closes up far out: none nearer than 15 px to another. */
const apart: uPlot.Axis.Splits = (u, _axis, min, max) => {
  const taken: number[] = []
  const out: number[] = []
  for (const v of rounds) {
    if (v < min || v > max) continue
    const y = u.valToPos(v, 'y')
    if (taken.some((t) => Math.abs(t - y) < 15)) continue
    taken.push(y)
    out.push(v)
  }
  return out.sort((a, b) => a - b)
}

/** What every chart of ours has: margins, fonts, grid, and one cursor over all charts of a key. */
export function base(l: Omit<Look, 'colors'>, height: number, withTime: boolean, key = 'day'): uPlot.Options {
  return {
    width: l.width,
    height: height + (withTime ? 24 : 0),
    padding: [8, 10, withTime ? 0 : 4, 0],
    tzDate: (ts) => uPlot.tzDate(new Date(ts * 1e3), l.zone),
    legend: { show: false },
    cursor: { sync: { key }, points: { show: false }, drag: { x: false, y: false }, y: false },
    hooks: { setCursor: [(u) => l.onCursor(u.cursor.idx ?? null)] },
    scales: { x: { time: true } },
    series: [{}],
    axes: [
      {
        show: withTime,
        stroke: css('--ink-3'),
        font,
        size: 24,
        grid: { stroke: css('--line'), width: 1 },
        ticks: { show: false },
        space: 60,
        values: '{HH}:{mm}',
      },
      {
        stroke: css('--ink-3'),
        font,
        size: 52,
        gap: 4,
        grid: { stroke: css('--line'), width: 1 },
        ticks: { show: false },
      },
    ],
  }
}

/** A heavier line at zero, drawn under the series. */
const zeroLine = (u: uPlot) => {
  const { min, max } = u.scales['y']!
  if (min == null || max == null || min >= 0 || max <= 0) return
  const y = Math.round(u.valToPos(0, 'y', true)) + 0.5
  u.ctx.save()
  u.ctx.strokeStyle = css('--ink-3')
  u.ctx.lineWidth = 1
  u.ctx.beginPath()
  u.ctx.moveTo(u.bbox.left, y)
  u.ctx.lineTo(u.bbox.left + u.bbox.width, y)
  u.ctx.stroke()
  u.ctx.restore()
}

export const line = (color: string, more: Partial<uPlot.Series> = {}): uPlot.Series => ({
  stroke: css(color),
  width: 1.5,
  points: { show: false },
  spanGaps: false,
  ...more,
})

const stepped = uPlot.paths.stepped!({ align: 1 })

/** Price: stepped, on an axis that is straight near zero and closes up far out, so that a
 *  spike of thousands and the usual tens are both readable. */
export function priceOptions(l: Look, t: Trend): uPlot.Options {
  const o = base(l, 96, false)
  const known = t.price.filter((v): v is number => v != null)
  const hi = Math.max(60, ...known)
  const lo = Math.min(0, ...known)
  o.scales!['y'] = { distr: 4, asinh: 50, range: [lo < 0 ? Math.min(lo * 1.3, -20) : 0, hi * 1.25] }
  const y = o.axes![1]!
  y.splits = apart
  y.filter = (_u, s) => s
  y.values = (_u, s) => s.map((v) => num(v))
  o.series.push(line('--price', { paths: stepped }))
  o.hooks!.drawAxes = [zeroLine]
  return o
}

export function loadOptions(l: Look, t: Trend): uPlot.Options {
  const o = base(l, 214, false)
  const peak = Math.max(0.1, ...[t.limit, t.meter, t.reserve, ...t.stack.map((s) => s.top)].flat().map((v) => v ?? 0))
  o.scales!['y'] = { range: [0, peak * 1.06] }
  o.axes![1]!.values = (_u, s) => s.map((v) => num(v, peak < 3 ? 1 : peak < 20 ? 1 : 0))
  o.axes![1]!.space = 34
  for (const s of t.stack) {
    const color = css(l.colors.get(s.id) ?? '--rest')
    o.series.push({ stroke: color, fill: `${color}99`, width: 1, points: { show: false }, spanGaps: false })
  }
  // Each area is filled down to the one below it, never through a gap in it.
  o.bands = t.stack.slice(1).map((_, i) => ({ series: [i + 2, i + 1] as [number, number], fill: `${css(l.colors.get(t.stack[i + 1]!.id) ?? '--rest')}99` }))
  o.series.push(line('--reserve', { dash: [5, 4] }))
  o.series.push(line('--ink', { width: 1 }))
  o.series.push(line('--limit', { width: 2, paths: stepped }))
  return o
}

export function loadData(t: Trend): uPlot.AlignedData {
  return [t.times, ...t.stack.map((s) => s.top), t.reserve, t.meter, t.limit]
}

export function earnOptions(l: Look, t: Trend): uPlot.Options {
  const o = base(l, 104, true)
  const all = [t.mining, t.hosting, t.energy, t.net].flat().filter((v): v is number => v != null)
  const hi = Math.max(10, ...all)
  const lo = Math.min(0, ...all)
  // One hour at a spike costs more than a day earns: the axis closes up far out here too.
  o.scales!['y'] = { distr: 4, asinh: Math.max(50, hi / 6), range: [lo < 0 ? lo * 1.25 : 0, hi * 1.25] }
  const y = o.axes![1]!
  y.splits = apart
  y.filter = (_u, s) => s
  y.values = (_u, s) => s.map((v) => num(v))
  o.series.push(line('--group-0', { width: 1.5 }))
  o.series.push(line('--tenant-0', { width: 1.5 }))
  o.series.push(line('--limit', { dash: [4, 3], width: 1.25 }))
  o.series.push(line('--ink', { width: 2 }))
  o.hooks!.drawAxes = [zeroLine]
  return o
}
