import { curvePlot } from '../src/lib/curve'
import { power, usd } from '../src/lib/format'
import { ceiling, impact } from '../src/lib/impact'
import { layout } from '../src/lib/tree'
import { trend } from '../src/lib/trend'
import type { CurveBlock, LiveView, SiteView } from '../src/lib/types'
import { expect, test } from '@playwright/test'

const site: SiteView = {
  name: 'S', timezone: 'UTC', notice: '', speed: 1, role: 'operator',
  nodes: [
    { id: 'c', name: 'Connection', parent: '', limit_w: 4e6, has_meter: true },
    { id: 'h', name: 'Hall', parent: 'c', limit_w: null, has_meter: true },
  ],
  groups: [{ id: 'g', name: 'Miners', node: 'h', model: '', driver: '', devices: 100, nameplate_w: 1.5e6, style: 'mode' }],
  tenants: [{ id: 't', name: 'Tenant', node: 'c', firm_w: 1.8e6, rate_usd_kw_month: 1, availability: 1 }],
}
const live = {
  nodes: [
    { id: 'c', power_w: 2.6e6, est_w: 2.6e6 },
    { id: 'h', power_w: 1.4e6, est_w: 1.4e6 },
  ],
  groups: [{ id: 'g', power_w: 1.4e6, fixed_w: 0.1e6 }],
  tenants: [{ id: 't', power_w: 1.2e6, reserve_w: 1.3e6 }],
} as unknown as LiveView

test('a limit sheds mining for the reserve too, and never speaks of shedding a tenant that fits', () => {
  const i = impact(site, live, 'c', 2.0e6)
  expect(i.level).toBe('shed')
  expect(i.shedW).toBe(0.7e6)
  expect(i.lines.join(' ')).toContain('Tenant keeps running')
  expect(impact(site, live, 'c', 2.8e6).level).toBe('none')
})

test('a limit that mining cannot meet says who is left', () => {
  expect(impact(site, live, 'c', 1e6).level).toBe('firm')
  const hall = impact(site, live, 'h', 0)
  expect(hall.level).toBe('shed')
  expect(hall.lines.join(' ')).toContain('100 kW stays above the limit')
  expect(impact(site, { ...live, nodes: null }, 'c', 1e6).lines[0]).toContain('not known')
  expect(ceiling(site, 'h')).toBe(1.5e6)
})

const cluster = { id: 'gpu', name: 'GPU cloud', node: 'h', gpus: 160, nameplate_w: 164e3 }
const withGPUs = { ...site, gpu_clusters: [cluster] }

test("a limit says what GPU jobs give up, and that their firm part runs on", () => {
  const at = (firm: number | null): LiveView =>
    ({ nodes: [{ id: 'h', power_w: 0.1e6, est_w: 0.1e6 }], groups: [], tenants: [], gpu_clusters: [{ id: 'gpu', power_w: 0.1e6, award_w: 0.1e6, firm_w: firm, gpus_used: 100, reachable: true, stage: '', reason: '' }] }) as unknown as LiveView
  const i = impact(withGPUs, at(0.06e6), 'h', 0.07e6)
  expect(i.level).toBe('shed')
  expect(i.lines).toEqual(['Will shed about 30 kW of GPU jobs, by caps and pauses, at Hall, which draws 100 kW now.', 'The firm work of GPU cloud keeps running.'])
  expect(impact(withGPUs, at(0.06e6), 'h', 0.04e6).level).toBe('firm')
  expect(impact(withGPUs, at(null), 'h', 0.07e6).level, 'what is not known to bend is firm').toBe('firm')
})

test('a cluster hangs below its node', () => {
  const boxes = layout(withGPUs, 1000).boxes
  expect(boxes.find((b) => b.key === 'cluster:gpu')?.parent).toBe('node:h')
})

test('a few jobs worth thousands do not flatten the miners', () => {
  const block = (load: string, value: number, w: number): CurveBlock => ({ load, class: 'flexible', power_w: w, award_w: w, value_usd_mwh: value, reason: '' })
  const p = curvePlot({ at: '', price_usd_mwh: 20, cap_w: null, cleared_w: 2e6, blocks: [block('gpu', 5000, 5e4), block('g', 150, 1e6), block('g', 60, 1e6)] }, null, { left: 0, right: 300, top: 0, bottom: 100 })
  expect(p.blocks[1]!.h).toBeGreaterThan(40)
  expect(p.clipped.map((c) => c.text)).toEqual(['worth $5,000/MWh'])
})

test('a gap in one load is a gap in the stack above it, not a zero', () => {
  const t = trend(site, { step_s: 60, times: [0, 60], series: [{ key: 'tenant_w:t', values: [1e6, null] }, { key: 'group_w:g', values: [2e6, 2e6] }] })
  expect(t.stack.map((s) => s.top)).toEqual([[1, null], [3, null]])
  expect(t.net).toEqual([null, null])
})

test('numbers read well', () => {
  expect([power(null), power(0), power(999), power(1500), power(640e3), power(999.9e3), power(12.34e6)]).toEqual(['–', '0 W', '999 W', '1.5 kW', '640 kW', '1.00 MW', '12.3 MW'])
  expect([usd(-0.001), usd(-12.4), usd(12345.6), usd(null)]).toEqual(['$0.00', '\u2212$12.40', '$12,346', '–'])
})

test('contracted load is clipped, blocks below zero hang from the zero line', () => {
  const block = (value: number, award: number, kind = 'flexible'): CurveBlock => ({ load: 'g', class: kind, power_w: 1e6, award_w: award, value_usd_mwh: value, reason: '' })
  const p = curvePlot({ at: '', price_usd_mwh: -20, cap_w: 2.5e6, cleared_w: 1.5e6, blocks: [block(10_000, 1e6, 'firm'), block(80, 0.5e6), block(-10, 0)] }, null, { left: 0, right: 300, top: 0, bottom: 100 })
  expect(p.clipped.map((c) => c.text)).toEqual(['penalty $10,000/MWh'])
  expect(p.blocks[1]!.award).toBeCloseTo(p.blocks[1]!.w / 2)
  const zero = p.yTicks.find((t) => t.zero)!.at
  expect(p.blocks[2]!.y).toBeCloseTo(zero)
  expect(p.priceY!).toBeGreaterThan(zero)
  expect(p.point!.x).toBeLessThan(p.capX!)
})
