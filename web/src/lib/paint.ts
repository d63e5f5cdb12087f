// Colours and states: one place that says which load has which colour and what each state of
// a miner looks like. The shapes differ too, so no state is known by its colour alone.

import type { SiteView } from './types'

/** The load under which a cluster's firm part is cleared. */
export const firmLoad = (cluster: string) => `${cluster}:firm`

/** Colour of each load by id, as a CSS variable: tenants from the blues, clusters from the indigos, their firm part darker, groups from the rest. */
export function loadColors(site: SiteView): Map<string, string> {
  const m = new Map<string, string>()
  site.tenants.forEach((t, i) => m.set(t.id, `var(--tenant-${i % 3})`))
  site.gpu_clusters?.forEach((c, i) => {
    m.set(c.id, `var(--cluster-${i % 2})`)
    m.set(firmLoad(c.id), `var(--cluster-${i % 2}-firm)`)
  })
  site.groups.forEach((g, i) => m.set(g.id, `var(--group-${i % 8})`))
  return m
}

/** The computed value of a CSS variable or var() reference, for canvases. */
export function css(name: string): string {
  const key = name.startsWith('var(') ? name.slice(4, -1) : name
  return getComputedStyle(document.documentElement).getPropertyValue(key).trim()
}

export type Shape = 'full' | 'rise' | 'fall' | 'low' | 'cross' | 'slash' | 'dot' | 'hatch' | 'empty'

export interface StateLook {
  state: string
  label: string
  color: string
  shape: Shape
  meaning: string
}

export const states: StateLook[] = [
  { state: 'hashing', label: 'Hashing', color: '--s-hashing', shape: 'full', meaning: 'awake and working' },
  { state: 'starting', label: 'Starting', color: '--s-moving', shape: 'rise', meaning: 'told to wake, not at power yet' },
  { state: 'stopping', label: 'Stopping', color: '--s-moving', shape: 'fall', meaning: 'told to sleep, still drawing' },
  { state: 'sleeping', label: 'Sleeping', color: '--s-sleeping', shape: 'low', meaning: 'asleep, on standby power' },
  { state: 'held', label: 'Held', color: '--s-held', shape: 'dot', meaning: 'a person holds it' },
  { state: 'fault', label: 'Fault', color: '--s-fault', shape: 'cross', meaning: 'reports a fault, or does less than told' },
  { state: 'quarantined', label: 'Quarantined', color: '--s-quarantine', shape: 'slash', meaning: 'does not obey; others make up for it' },
  { state: 'stale', label: 'Stale', color: '--s-stale', shape: 'hatch', meaning: 'has not answered lately' },
  { state: 'unknown', label: 'Unknown', color: '--s-stale', shape: 'empty', meaning: 'never answered' },
]

const byState = new Map(states.map((s) => [s.state, s]))
const unknown = states[states.length - 1]!

export function look(state: string): StateLook {
  return byState.get(state) ?? unknown
}

/** Draws one cell of side s at x, y. color is the computed value of the look's colour. */
export function drawCell(c: CanvasRenderingContext2D, shape: Shape, color: string, x: number, y: number, s: number): void {
  c.fillStyle = color
  c.strokeStyle = color
  c.lineWidth = Math.max(1, s / 9)
  const inset = c.lineWidth / 2
  const outline = () => c.strokeRect(x + inset, y + inset, s - 2 * inset, s - 2 * inset)
  const path = (...p: [number, number][]) => {
    c.beginPath()
    p.forEach(([px, py], i) => (i === 0 ? c.moveTo(x + px * s, y + py * s) : c.lineTo(x + px * s, y + py * s)))
  }
  switch (shape) {
    case 'full':
      c.fillRect(x, y, s, s)
      break
    case 'rise':
      outline()
      path([0.5, 0.2], [0.85, 0.8], [0.15, 0.8])
      c.fill()
      break
    case 'fall':
      outline()
      path([0.5, 0.8], [0.85, 0.2], [0.15, 0.2])
      c.fill()
      break
    case 'low':
      // Lights out: faint, so that a sleeping hall reads as dark beside a working one.
      c.globalAlpha = 0.22
      c.fillRect(x, y, s, s)
      c.globalAlpha = 1
      c.fillRect(x, y + s * 0.8, s, s * 0.2)
      break
    case 'cross':
      c.fillRect(x, y, s, s)
      c.strokeStyle = css('--panel')
      c.lineWidth = Math.max(1.2, s / 6)
      path([0.22, 0.22], [0.78, 0.78])
      c.stroke()
      path([0.78, 0.22], [0.22, 0.78])
      c.stroke()
      break
    case 'slash':
      outline()
      c.lineWidth = Math.max(1.2, s / 5)
      path([0.12, 0.88], [0.88, 0.12])
      c.stroke()
      break
    case 'dot':
      outline()
      c.beginPath()
      c.arc(x + s / 2, y + s / 2, s * 0.26, 0, 7)
      c.fill()
      break
    case 'hatch':
      outline()
      c.lineWidth = 1
      path([0, 0.5], [0.5, 0])
      c.stroke()
      path([0, 1], [1, 0])
      c.stroke()
      path([0.5, 1], [1, 0.5])
      c.stroke()
      break
    case 'empty':
      outline()
  }
}
