// What one miner told over time, as its three charts need it.

import uPlot from 'uplot'
import type { DeviceHistoryView } from './fleet'
import { num } from './format'
import { css } from './paint'
import { base, line, type Look } from './plots'

type Row = (number | null)[]

export interface Readings {
  times: number[]
  power: Row
  target: Row
  hash: Row
  chip: Row
  boards: Row[]
}

/** The view with every row as long as its times. */
export function readings(h: DeviceHistoryView): Readings {
  const times = h.t ?? []
  const row = (r: Row | null | undefined): Row => (r && r.length === times.length ? r : times.map(() => null))
  return { times, power: row(h.power_w), target: row(h.target_w), hash: row(h.hashrate_th_s), chip: row(h.chip_c), boards: (h.board_c ?? []).map(row) }
}

export const known = (r: Readings) => [r.power, r.hash, r.chip].some((x) => x.some((v) => v != null))

/** The newest place at which anything is known. */
export const newest = (r: Readings) => Math.max(0, ...[r.power, r.hash, r.chip].map((x) => x.findLastIndex((v) => v != null)))

const key = 'miner'
type Plain = Omit<Look, 'colors'> & { days: boolean }

/** Of several days, each label needs its day. */
function dated(o: uPlot.Options, l: Plain): uPlot.Options {
  if (l.days) Object.assign(o.axes![0]!, { values: '{D} {MMM} {HH}:{mm}', space: 110 })
  return o
}

const peak = (least: number, ...rows: Row[]) => Math.max(least, ...rows.flat().map((v) => v ?? 0))

export function powerOptions(l: Plain, r: Readings): uPlot.Options {
  const o = base(l, 120, false, key)
  o.scales!['y'] = { range: [0, peak(100, r.power, r.target) * 1.12] }
  o.axes![1]!.values = (_u, s) => s.map((v) => num(v))
  o.series.push(line('--group-0', { fill: `${css('--group-0')}22` }), line('--limit', { dash: [5, 4], width: 1.25, paths: uPlot.paths.stepped!({ align: 1 }) }))
  return o
}

export function hashOptions(l: Plain, r: Readings): uPlot.Options {
  const o = base(l, 96, false, key)
  o.scales!['y'] = { range: [0, peak(1, r.hash) * 1.12] }
  o.axes![1]!.values = (_u, s) => s.map((v) => num(v))
  o.series.push(line('--tenant-0', { fill: `${css('--tenant-0')}22` }))
  return o
}

/** Colours of single boards: thin, beside the hottest chip's own line. */
export const boardColor = (i: number) => `--group-${[1, 2, 4, 5][i % 4]}`

export function chipOptions(l: Plain, r: Readings): uPlot.Options {
  const o = dated(base(l, 104, true, key), l)
  const all = [r.chip, ...r.boards].flat().filter((v): v is number => v != null)
  o.scales!['y'] = { range: [Math.max(0, Math.min(...all, 40) - 4), Math.max(...all, 60) + 6] }
  o.axes![1]!.values = (_u, s) => s.map((v) => num(v))
  o.series.push(line('--ink', { width: 1.75 }))
  for (const i of r.boards.keys()) o.series.push(line(boardColor(i), { width: 1 }))
  return o
}
