// Geometry of the merit-order picture: from blocks to rectangles, ticks and the clearing
// point. Pure.

import { dash, mw, num, usd } from './format'
import type { CurveBlock, CurveView } from './types'

export interface Frame {
  left: number
  right: number
  top: number
  bottom: number
}

export interface PlotBlock {
  block: CurveBlock
  x: number
  w: number
  y: number
  h: number
  award: number // width of the awarded part
}

export interface Tick {
  at: number
  label: string
  zero?: boolean
}

export interface CurvePlot {
  blocks: PlotBlock[]
  steps: string
  clipped: { x: number; w: number; text: string }[]
  xTicks: Tick[]
  yTicks: Tick[]
  priceY: number | null
  capX: number | null
  point: { x: number; y: number } | null
}

/** A round step that cuts span into about n parts. */
export function roundStep(span: number, n: number): number {
  const raw = Math.max(span, 1e-9) / n
  const p = 10 ** Math.floor(Math.log10(raw))
  return [1, 2, 5, 10].map((m) => m * p).find((s) => s >= raw) ?? 10 * p
}

/** The value that a fifth of the power which competes on price is worth at least. */
function mostly(c: CurveView): number {
  const open = (c.blocks ?? []).filter((b) => b.class === 'flexible').sort((a, b) => b.value_usd_mwh - a.value_usd_mwh)
  let left = open.reduce((s, b) => s + b.power_w, 0) / 5
  for (const b of open) {
    left -= b.power_w
    if (left <= 0) return b.value_usd_mwh
  }
  return 0
}

/** The value axis: whole for what competes on price. Contracted and fixed load is far above. */
function range(c: CurveView, extra: (number | null)[]): { lo: number; hi: number } {
  const open = (c.blocks ?? []).filter((b) => b.class === 'flexible').map((b) => b.value_usd_mwh)
  const all = [0, ...open, ...extra.filter((v): v is number => v != null)]
  // A few kilowatts of jobs worth thousands must not flatten the megawatts of miners either.
  const best = Math.max(20, mostly(c))
  // A spike of thousands must not flatten the blocks: the price line then sits at the edge.
  const hi = Math.min(Math.max(...all), best * 2.2) * 1.12
  const lo = Math.max(Math.min(...all), -hi)
  return { lo: lo < 0 ? lo * 1.15 : 0, hi }
}

export function curvePlot(c: CurveView, marginal: number | null, f: Frame): CurvePlot {
  const all = c.blocks ?? []
  const total = all.reduce((s, b) => s + b.power_w, 0)
  const maxX = Math.max(total, c.cap_w ?? 0, c.cleared_w, 1) * 1.03
  const { lo, hi } = range(c, [c.price_usd_mwh, marginal])
  const x = (w: number) => f.left + (w / maxX) * (f.right - f.left)
  const clamp = (v: number) => Math.min(Math.max(v, lo), hi)
  const y = (v: number) => f.bottom - ((clamp(v) - lo) / (hi - lo)) * (f.bottom - f.top)

  const blocks: PlotBlock[] = []
  const clipped: CurvePlot['clipped'] = []
  let steps = ''
  let sum = 0
  for (const b of all) {
    const x0 = x(sum)
    sum += b.power_w
    const w = x(sum) - x0
    const over = b.value_usd_mwh > hi
    const top = over ? f.top : Math.min(y(b.value_usd_mwh), y(0))
    const h = Math.max(1, Math.abs(y(0) - (over ? f.top : y(b.value_usd_mwh))))
    blocks.push({ block: b, x: x0, w, y: top, h, award: b.power_w > 0 ? (w * Math.min(b.award_w, b.power_w)) / b.power_w : 0 })
    steps += `${steps === '' ? 'M' : 'L'}${x0} ${over ? f.top : y(b.value_usd_mwh)}H${x0 + w}`
    const last = clipped[clipped.length - 1]
    const text = `${b.class === 'firm' ? 'penalty' : 'worth'} ${usd(b.value_usd_mwh, 0)}/MWh`
    if (!over) continue
    if (last && last.text === text) last.w = x0 + w - last.x
    else clipped.push({ x: x0, w, text })
  }

  const yStep = roundStep(hi - lo, 5)
  const yTicks: Tick[] = []
  for (let v = Math.ceil(lo / yStep) * yStep; v <= hi; v += yStep) yTicks.push({ at: y(v), label: num(v), zero: Math.abs(v) < yStep / 2 })
  const xStep = roundStep(maxX, 6)
  const xTicks: Tick[] = []
  for (let v = 0; v <= maxX; v += xStep) xTicks.push({ at: x(v), label: mw(v, xStep < 1e5 ? 2 : xStep < 1e6 ? 1 : 0) })

  const level = marginal ?? c.price_usd_mwh
  return {
    blocks,
    steps,
    clipped,
    xTicks: xTicks.filter((t) => t.label !== dash),
    yTicks,
    priceY: c.price_usd_mwh == null ? null : y(c.price_usd_mwh),
    capX: c.cap_w == null ? null : x(c.cap_w),
    point: level == null ? null : { x: x(c.cleared_w), y: y(level) },
  }
}
