// A stand-in for the controller: the whole API over the made-up plant, and the built page
// under the policy that the real one serves. Plain Node.
//
//   node mock/server.mjs [--port 8099] [--speed 60] [--start 2026-02-03T17:20:00-05:00] [--extra 0] [--fleet 600]
//
// Log in with the token "operator" or "viewer", or with a tenant's: "helix", "beta", "gamma". POST /mock/down?for=5000 plays dead.

import { readFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import { extname, join, normalize } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { ahead } from './ahead.mjs'
import { clusters } from './clusters.mjs'
import { curtail } from './curtail.mjs'
import { fleet } from './fleet.mjs'
import * as plant from './plant.mjs'
import { rollouts } from './rollouts.mjs'
import { studies } from './studies.mjs'
import { views } from './views.mjs'

const dist = fileURLToPath(new URL('../dist/', import.meta.url))
const types = { '.html': 'text/html; charset=utf-8', '.js': 'text/javascript', '.css': 'text/css', '.svg': 'image/svg+xml', '.woff2': 'font/woff2' }
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; font-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
const tokens = { operator: { role: 'operator', name: 'shift' }, viewer: { role: 'viewer', name: 'guest' }, ...Object.fromEntries(['helix', 'beta', 'gamma'].map((id) => [id, { role: 'tenant', name: `${id} ops`, tenant: id }])) }

class Refusal extends Error {
  constructor(status, detail) {
    super(detail)
    this.status = status
  }
}

/** A running mock: its state, and what was asked of it. */
export class Mock {
  constructor({ speed = 60, start = '2026-02-03T17:20:00-05:00', extra = 0, fleetSize = 600, hasAhead = true, hasClusters = true, hasStudies = true } = {}) {
    Object.assign(this, { speed, extra, fleetSize, hasAhead, hasClusters, hasStudies, epoch: Date.parse(start) / 1000, born: Date.now() })
    this.manual = []
    this.holds = new Map()
    this.seen = [] // everything asked for by somebody who is logged in
    this.requests = [] // every change asked for: {method, path, body, guard}
    this.feed = []
    this.streams = new Set()
    this.ownStreams = new Map() // of tenants: response to tenant
    this.downUntil = 0
    this.site = plant.site(extra)
    this.views = views(this)
    this.views.backfill()
    this.fleet = fleet(this)
    this.rollouts = rollouts(this, this.fleet)
    // How the plan came about: milp, lp, merit, static; none: there is none yet; off: none is made.
    this.planned = 'milp'
    this.notes = []
    this.curtails = false // the tenant gives power back at the spike
    this.oversold = false // more reserve is sold than the plan can hold
    this.asks = [] // signals beside those of every day
    this.refused = [{ at: new Date((this.epoch - 7200) * 1000).toISOString(), source: 'desk', text: 'a target of 140 is above 100; it was not taken' }]
    this.ahead = ahead(this)
    this.short = false // power is short: the cluster's jobs are capped and paused
    this.unreachable = false // the cluster's engine does not answer
    this.broken = false // a tenant's promise is broken this month
    this.curtail = curtail(this)
    this.clusters = clusters(this)
    this.studies = studies(this)
    this.slowMs = 0 // how late the answers about miners come
    this.server = createServer((q, r) => void this.serve(q, r))
    this.sockets = new Set()
    this.server.on('connection', (s) => {
      this.sockets.add(s)
      s.on('close', () => this.sockets.delete(s))
    })
  }

  now() {
    return this.epoch + ((Date.now() - this.born) / 1000) * this.speed
  }

  async listen(port = 0) {
    await new Promise((done) => this.server.listen(port, '127.0.0.1', done))
    this.timer = setInterval(() => this.tick(), 1000)
    return `http://127.0.0.1:${this.server.address().port}`
  }

  async close() {
    clearInterval(this.timer)
    for (const s of this.sockets) s.destroy()
    await new Promise((done) => this.server.close(done))
  }

  /** Plays dead: drops every connection and takes none until ms have passed. */
  down(ms) {
    this.downUntil = Date.now() + ms
    for (const s of this.sockets) s.destroy()
  }

  tick() {
    const fresh = this.views.step()
    for (const d of fresh) this.emit('decision', d)
    if (this.streams.size > 0) this.emit('live', this.views.live())
    for (const [r, id] of this.ownStreams) this.tell(r, id)
  }

  emit(event, data) {
    for (const r of this.streams) r.write(`event: ${event}\ndata: ${JSON.stringify(data)}\n\n`)
  }

  note(subject, kind, text, code = '') {
    const d = { at: new Date(this.now() * 1000).toISOString(), plan: this.views.plan(), subject, kind, code, text }
    this.feed = [d, ...this.feed].slice(0, 500)
    this.emit('decision', d)
  }

  async serve(q, r) {
    if (Date.now() < this.downUntil) return void q.socket.destroy()
    const u = new URL(q.url, 'http://mock')
    try {
      if (u.pathname.startsWith('/api/')) await this.api(q, r, u)
      else if (u.pathname === '/mock/down') {
        r.end()
        this.down(Number(u.searchParams.get('for') ?? 5000))
      } else await file(r, u.pathname)
    } catch (e) {
      if (!e.status) console.error(e)
      json(r, e.status ?? 500, { status: e.status ?? 500, title: 'Refused', detail: e.message, errors: e.errors })
    }
  }

  who(q) {
    const m = /(?:^|; )switchyard=(\w+)/.exec(q.headers.cookie ?? '')
    return m ? tokens[m[1]] : undefined
  }

  async api(q, r, u) {
    const path = u.pathname.slice('/api/v1'.length)
    const body = q.method === 'POST' ? await read(q) : undefined
    if (q.method !== 'GET') {
      this.requests.push({ method: q.method, path, body, guard: q.headers['x-switchyard'] ?? '' })
      if (q.headers['x-switchyard'] !== '1') throw new Refusal(403, 'the header X-Switchyard: 1 is missing')
    }
    if (path === '/session' && q.method === 'POST') {
      const t = tokens[body?.token]
      if (!t) throw new Refusal(401, 'unknown token')
      r.setHeader('Set-Cookie', `switchyard=${body.token}; HttpOnly; SameSite=Strict; Path=/`)
      return json(r, 200, t)
    }
    const who = this.who(q)
    if (!who) throw new Refusal(401, 'log in first')
    this.seen.push(`${who.name} ${q.method} ${path}`)
    if (path === '/session' && q.method === 'DELETE') {
      r.setHeader('Set-Cookie', 'switchyard=; HttpOnly; Path=/; Max-Age=0')
      return json(r, 204)
    }
    if (/^\/tenant(\/|$)/.test(path) && this.hasClusters) return this.own(r, path, u.searchParams, who, q.method)
    if (who.role === 'tenant' && path !== '/session') throw new Refusal(403, 'the role tenant may not do this; it takes viewer')
    if (q.method !== 'GET') {
      if (who.role === 'viewer') throw new Refusal(403, 'the role viewer may not change anything; ask for an operator token')
      return json(r, 200, this.change(q.method, path, body, who))
    }
    if (path === '/events') return this.stream(r)
    if (this.slowMs > 0 && /^\/(devices|rollouts|health|repairs|silences)/.test(path)) await new Promise((done) => setTimeout(done, this.slowMs))
    const shown = this.hasStudies && /^\/studies\/([^/]+)\/report$/.exec(path)
    if (shown) {
      const form = u.searchParams.get('format') ?? 'html'
      return void r.writeHead(200, { 'Content-Type': form === 'html' ? types['.html'] : 'text/plain' }).end(this.studies.page(decodeURIComponent(shown[1]), form, (u.searchParams.get('with') ?? '').split(',').filter(Boolean)))
    }
    return json(r, 200, this.view(path, u.searchParams, who))
  }

  /** What is one tenant's own. */
  own(r, path, p, who, method) {
    const id = who.role === 'tenant' ? who.tenant : p.get('tenant')
    if (who.role === 'tenant' && p.get('tenant') && p.get('tenant') !== id) throw new Refusal(403, "a tenant's token sees its own tenant only")
    const t = this.clusters.tenants
    if (!t.known(id)) throw new Refusal(404, `tenant "${id}": not found`)
    const seen = method === 'POST' && /^\/tenant\/curtailments\/([^/]+)\/acknowledge$/.exec(path)
    if (seen && who.role !== 'tenant') throw new Refusal(422, 'only the tenant itself acknowledges, with its own token')
    if (seen) return json(r, 200, this.curtail.acknowledge(id, decodeURIComponent(seen[1])))
    if (path === '/tenant/feed') {
      r.writeHead(200, { 'Content-Type': 'text/event-stream', 'Cache-Control': 'no-store' })
      this.ownStreams.set(r, id)
      r.on('close', () => this.ownStreams.delete(r))
      return this.tell(r, id)
    }
    const file = /^\/tenant\/invoices\/([^/]+)$/.exec(path)
    if (file) {
      const types = { pdf: 'application/pdf', csv: 'text/csv', json: 'application/json' }
      return void r.writeHead(200, { 'Content-Type': types[p.get('format') ?? 'json'] }).end(`invoice ${file[1]} of ${id}`)
    }
    const kinds = { '/tenant': 'view', '/tenant/jobs': 'jobs', '/tenant/events': 'events', '/tenant/usage': 'usage', '/tenant/invoices': 'invoices', '/tenant/availability': 'availability' }
    if (!kinds[path]) throw new Refusal(404, `no such path: ${path}`)
    return json(r, 200, t[kinds[path]](id, p))
  }

  tell(r, id) {
    const t = this.clusters.tenants
    r.write(`event: tenant\ndata: ${JSON.stringify(t.view(id))}\n\nevent: availability\ndata: ${JSON.stringify(t.availability(id))}\n\n`)
  }

  view(path, p, who) {
    if (this.hasClusters && path === '/clusters') return this.clusters.all()
    if (this.hasClusters && path === '/clusters/gpu/jobs') return this.clusters.jobs()
    if (this.hasClusters && path === '/tenants') return this.clusters.tenants.list()
    if (this.hasClusters && path === '/curtailments') return this.curtail.all(p.get('tenant'))
    if (path === '/session') return who
    if (this.hasStudies && path === '/studies') return this.studies.list()
    const study = this.hasStudies && /^\/studies\/([^/]+)$/.exec(path)
    if (study) return this.studies.report(decodeURIComponent(study[1]))
    if (path === '/site') return { ...this.site, speed: this.speed, role: who.role, ahead: this.hasAhead, clusters: this.hasClusters, studies: this.hasStudies, curtailments: this.hasClusters }
    if (path === '/live') return this.views.live()
    if (path === '/curve') return this.views.curve()
    if (path === '/decisions') return this.feed.slice(0, Number(p.get('limit') ?? 100))
    if (path === '/history') return this.views.history(p.get('from'), p.get('to'), Number(p.get('step')))
    if (path === '/report/day') return this.views.report(p.get('date'))
    if (path === '/schedule') return this.ahead.schedule()
    if (path === '/signals') return this.ahead.signals()
    if (path === '/forecast') return this.ahead.forecast()
    if (path === '/devices') return this.fleet.devices(p)
    if (path === '/health') return this.fleet.health()
    if (path === '/repairs') return this.fleet.repairs()
    if (path === '/silences') return this.fleet.silences()
    if (path === '/rollouts') return this.rollouts.all()
    const one = /^\/(devices|rollouts)\/([^/]+)(\/history)?$/.exec(path)
    if (one?.[3]) return this.fleet.history(decodeURIComponent(one[2]), p.get('from'), p.get('to'), Number(p.get('step')))
    if (one) return one[1] === 'devices' ? this.fleet.device(decodeURIComponent(one[2])) : this.rollouts.one(one[2])
    const m = /^\/(groups|why)\/([^/]+)(\/map)?$/.exec(path)
    if (m?.[1] === 'groups') return this.views.map(decodeURIComponent(m[2]))
    if (m?.[1] === 'why') return this.views.why(decodeURIComponent(m[2]), p.get('at'))
    throw new Refusal(404, `no such path: ${path}`)
  }

  change(method, path, body, who) {
    const id = decodeURIComponent(path.split('/')[2] ?? '')
    if (method === 'POST' && path === '/limits') {
      if (!this.site.nodes.some((n) => n.id === body.node)) throw new Refusal(422, `node: unknown node "${body.node}"`)
      const from = this.now()
      const l = { id: `op-${this.manual.length + 1}`, node: body.node, power_w: body.power_w, from, to: body.for_s > 0 ? from + body.for_s : null, by: who.name, note: body.note ?? '' }
      this.manual.push(l)
      this.note(l.node, 'limit', `not above ${(l.power_w / 1e6).toFixed(2)} MW, set by ${who.name}`, 'limit')
      this.emit('live', this.views.live())
      return { id: l.id }
    }
    if (method === 'DELETE' && path.startsWith('/limits/')) {
      const l = this.manual.find((x) => x.id === id)
      if (!l) throw new Refusal(404, `no limit "${id}": it has ended or was cleared`)
      l.to = this.now()
      this.note(l.node, 'restore', `limit cleared by ${who.name}`, 'limit')
      this.emit('live', this.views.live())
      return {}
    }
    if (method === 'POST' && path === '/holds') {
      for (const d of body.devices) {
        this.holds.set(d, { mode: body.mode, by: who.name, note: body.note ?? '', at: this.now() })
        this.note(d, 'hold', `held ${body.mode === 'sleep' ? 'asleep' : 'awake'} by ${who.name}`, 'hold')
      }
      return {}
    }
    if (method === 'DELETE' && path.startsWith('/holds/')) {
      this.holds.delete(id)
      this.note(id, 'restore', `released by ${who.name}`, 'hold')
      return {}
    }
    return this.care(method, path, body, who, id)
  }

  /** Changes to single miners, and to who hears of them. */
  care(method, path, body, who, id) {
    if (method === 'POST' && path === '/studies') return this.studies.add(body, who)
    if (method === 'DELETE' && path.startsWith('/studies/')) return this.studies.remove(id)
    if (method === 'POST' && path === '/curtailments') return this.curtail.call(body, who)
    if (method === 'POST' && /^\/curtailments\/[^/]+\/withdraw$/.test(path)) return this.curtail.withdraw(id)
    if (method === 'POST' && path === '/clusters/gpu/holds') return this.clusters.hold('gpu', body)
    if (method === 'DELETE' && path.startsWith('/clusters/gpu/holds/')) return this.clusters.release(decodeURIComponent(path.split('/')[4]))
    if (method === 'POST' && path === '/rollouts/preview') return this.rollouts.preview(body)
    if (method === 'POST' && path === '/rollouts') return this.rollouts.begin(body, who)
    if (method === 'POST' && /^\/rollouts\/\d+\/steer$/.test(path)) return this.rollouts.steer(id, body.what, who)
    if (method === 'POST' && /^\/repairs\/[^/]+\/done$/.test(path)) return this.fleet.done(id)
    if (method === 'POST' && path === '/silences') return this.fleet.silence(body, who)
    if (method === 'DELETE' && path.startsWith('/silences/')) return this.fleet.unsilence(Number(id))
    throw new Refusal(404, `no such path: ${path}`)
  }

  stream(r) {
    r.writeHead(200, { 'Content-Type': 'text/event-stream', 'Cache-Control': 'no-store' })
    this.streams.add(r)
    r.on('close', () => this.streams.delete(r))
    r.write(`event: live\ndata: ${JSON.stringify(this.views.live())}\n\n`)
  }
}

function json(r, status, body) {
  if (status === 204) return void r.writeHead(204).end()
  r.writeHead(status, { 'Content-Type': 'application/json', 'Cache-Control': 'no-store' }).end(JSON.stringify(body))
}

async function read(q) {
  let s = ''
  for await (const c of q) if ((s += c).length > 4e6) throw new Refusal(413, 'too large')
  return s === '' ? undefined : JSON.parse(s)
}

async function file(r, path) {
  const name = path === '/' ? 'index.html' : normalize(path).replace(/^(\.\.[/\\])+/, '')
  try {
    const data = await readFile(join(dist, name))
    r.writeHead(200, { 'Content-Type': types[extname(name)] ?? 'application/octet-stream', 'Content-Security-Policy': policy, 'X-Content-Type-Options': 'nosniff' }).end(data)
  } catch {
    r.writeHead(404, { 'Content-Type': 'text/plain' }).end('Not found. If this is the page itself, run: npm run build\n')
  }
}

if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href) {
  const arg = (name, other) => {
    const i = process.argv.indexOf(`--${name}`)
    return i < 0 ? other : process.argv[i + 1]
  }
  const m = new Mock({ speed: Number(arg('speed', 60)), start: arg('start', undefined), extra: Number(arg('extra', 0)), fleetSize: Number(arg('fleet', 600)) })
  console.log(`${await m.listen(Number(arg('port', 8099)))}/#token=operator`)
}
