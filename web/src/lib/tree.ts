// Layout of the one-line diagram: the tree of nodes with tenants, GPU clusters and groups as leaves, in
// columns where there is room and as an indented list where there is not. Pure.

import type { SiteView } from './types'

export type BoxKind = 'node' | 'group' | 'tenant' | 'cluster'

export interface Box {
  key: string
  kind: BoxKind
  id: string
  parent: string // key; empty for the connection
  depth: number
  x: number
  y: number
  w: number
  h: number
}

export interface Line {
  key: string // of the box whose power it carries
  x1: number
  x2: number
  y: number
}

export interface Bus {
  key: string // of the box above it
  x: number
  y1: number
  y2: number
}

export interface Layout {
  wide: boolean
  compact: boolean
  boxes: Box[]
  feeders: Line[]
  stubs: Line[]
  buses: Bus[]
  width: number
  height: number
}

const leastGap = 10
const mostGap = 30
const minColumn = 150
const maxBox = 236
const maxLeaf = 290
const leastLine = 34 // between two columns: a bus, its taps and a bit of line

export const nodeKey = (id: string) => `node:${id}`

/** The boxes in reading order, parents first, without places. */
function gather(site: SiteView): Box[] {
  const boxes: Box[] = []
  const known = new Set(site.nodes.map((n) => n.id))
  const box = (kind: BoxKind, id: string, parent: string, depth: number): Box => ({
    key: `${kind}:${id}`, kind, id, parent, depth, x: 0, y: 0, w: 0, h: 0,
  })
  const walk = (id: string, parent: string, depth: number) => {
    boxes.push(box('node', id, parent, depth))
    const key = nodeKey(id)
    for (const t of site.tenants) if (t.node === id) boxes.push(box('tenant', t.id, key, depth + 1))
    for (const c of site.gpu_clusters ?? []) if (c.node === id) boxes.push(box('cluster', c.id, key, depth + 1))
    for (const g of site.groups) if (g.node === id) boxes.push(box('group', g.id, key, depth + 1))
    // A node that named itself as its parent would never end; the controller refuses such a file.
    for (const n of site.nodes) if (n.parent === id && n.id !== id) walk(n.id, key, depth + 1)
  }
  for (const n of site.nodes) if (n.parent === '' || !known.has(n.parent)) walk(n.id, '', 0)
  return boxes
}

/** Places everything in width; in columns the rows spread to fill the height, within reason. */
export function layout(site: SiteView, width: number, height = 0): Layout {
  const boxes = gather(site)
  const columns = boxes.reduce((m, b) => Math.max(m, b.depth), 0) + 1
  const leaves = boxes.filter((b) => b.kind !== 'node').length
  const compact = leaves > 7
  const wide = width / columns >= minColumn + 24
  if (!wide) return indented(boxes, width, compact)
  const tight = inColumns(boxes, columns, width, compact, leastGap)
  const gap = Math.min(mostGap, leastGap + (height - tight.height) / Math.max(1, leaves - 1))
  return gap < leastGap + 1 ? tight : inColumns(boxes, columns, width, compact, gap)
}

function heightOf(b: Box, compact: boolean): number {
  if (b.kind === 'node') return compact ? 64 : 82
  return compact ? 58 : 92
}

function inColumns(boxes: Box[], columns: number, width: number, compact: boolean, gapY: number): Layout {
  // Lines between the columns keep their least length; the boxes share the rest, and a leaf, which
  // has the most to say, gets more of it than a node.
  const room = width - (columns - 1) * leastLine
  const w = Math.min(maxBox, Math.max(Math.min(minColumn, room / columns), room / (columns + 0.4)))
  const leaf = columns > 1 ? Math.min(maxLeaf, room - w * (columns - 1)) : w
  const gap = columns > 1 ? (width - w * (columns - 1) - leaf) / (columns - 1) : 0
  const children = new Map<string, Box[]>()
  for (const b of boxes) children.set(b.parent, [...(children.get(b.parent) ?? []), b])

  let y = 0
  // In a tree taller than a screen a parent stands beside its first child, where it is seen.
  const rows = boxes.filter((b) => !children.has(b.key)).length
  const tall = rows > 8
  const place = (b: Box) => {
    b.w = b.kind === 'node' ? w : leaf
    b.h = heightOf(b, compact)
    const kids = children.get(b.key) ?? []
    const column = b.kind === 'node' ? b.depth : columns - 1
    b.x = column * (w + gap)
    if (kids.length === 0) {
      b.y = y
      y += b.h + gapY
      return
    }
    const top = y
    kids.forEach(place)
    const first = kids[0]!
    const last = kids[kids.length - 1]!
    const middle = tall ? first.y + first.h / 2 : (first.y + first.h / 2 + last.y + last.h / 2) / 2
    b.y = Math.max(top, middle - b.h / 2)
    y = Math.max(y, b.y + b.h + gapY)
  }
  ;(children.get('') ?? []).forEach(place)

  const out: Layout = { wide: true, compact, boxes, feeders: [], stubs: [], buses: [], width, height: Math.max(0, y - gapY) }
  for (const b of boxes) {
    const kids = children.get(b.key) ?? []
    if (kids.length === 0) continue
    const middle = b.y + b.h / 2
    const busX = b.x + b.w + Math.min(26, gap / 2)
    out.stubs.push({ key: b.key, x1: b.x + b.w, x2: busX, y: middle })
    const ys = kids.map((k) => k.y + k.h / 2)
    out.buses.push({ key: b.key, x: busX, y1: Math.min(middle, ...ys) - 9, y2: Math.max(middle, ...ys) + 9 })
    for (const k of kids) out.feeders.push({ key: k.key, x1: busX, x2: k.x, y: k.y + k.h / 2 })
  }
  return out
}

function indented(boxes: Box[], width: number, compact: boolean): Layout {
  const depth = boxes.reduce((m, b) => Math.max(m, b.depth), 0)
  const step = depth === 0 ? 0 : Math.min(22, (width * 0.3) / depth)
  let y = 0
  for (const b of boxes) {
    b.x = b.depth * step
    b.w = width - b.x
    b.h = heightOf(b, compact)
    b.y = y
    y += b.h + leastGap
  }
  const out: Layout = { wide: false, compact, boxes, feeders: [], stubs: [], buses: [], width, height: Math.max(0, y - leastGap) }
  for (const b of boxes) {
    const kids = boxes.filter((k) => k.parent === b.key)
    if (kids.length === 0) continue
    const x = b.x + step / 2
    const last = kids[kids.length - 1]!
    out.buses.push({ key: b.key, x, y1: b.y + b.h, y2: last.y + last.h / 2 })
    for (const k of kids) out.feeders.push({ key: k.key, x1: x, x2: k.x, y: k.y + k.h / 2 })
  }
  return out
}

/** The ids of a node and of all nodes below it. */
export function below(site: SiteView, node: string): Set<string> {
  const ids = new Set([node])
  // Parents come before their children, so one pass is enough.
  for (const n of site.nodes) if (ids.has(n.parent)) ids.add(n.id)
  return ids
}
