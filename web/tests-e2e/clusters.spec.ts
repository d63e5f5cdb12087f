import type { Page } from '@playwright/test'
import type { ClusterJob, ClusterView, InvoiceView } from '../src/lib/clustertypes'
import { expect, program, running, test } from './real'

test.skip(program === '', 'SWITCHYARD_BIN is missing: it names the built program, such as bin/switchyard')
test.setTimeout(150_000)

const cluster = async (page: Page) => ((await (await page.request.get('/api/v1/clusters')).json()) as ClusterView[])[0]!
const jobsOf = async (page: Page, id: string) => (await (await page.request.get(`/api/v1/clusters/${id}/jobs`)).json()) as ClusterJob[]
// Changes take the token itself: a session's cookie is for the page alone.
const bearer = (link: string) => ({ Authorization: `Bearer ${new URL(link).hash.replace('#token=', '')}` })

test('the GPU cluster stands in the diagram, and its page shows its nodes and jobs', async ({ page, site, live }) => {
  await running(page, live, 200e3)
  expect(site.gpu_clusters).toHaveLength(1)
  const info = site.gpu_clusters![0]!
  const card = page.locator(`[data-key="cluster:${info.id}"] .leaf`)
  await expect(card).toContainText(info.name)
  await expect(card).toContainText(new RegExp(`\\d+ of ${info.gpus} GPUs at work`), { timeout: 30_000 })
  // Cleared as two loads, both with the cluster's name.
  const merit = page.locator('section[aria-label="Merit order"]')
  await expect(merit.locator('.read li', { hasText: `${info.name}, firm` })).toHaveCount(1, { timeout: 30_000 })
  await expect(merit.locator('.read')).not.toContainText(/gpu:firm|house:/)

  await card.click()
  await expect(page).toHaveURL(/#\/clusters$/)
  await expect.poll(async () => (await jobsOf(page, info.id)).some((j) => j.state === 'running'), { timeout: 60_000 }).toBe(true)
  const v = await cluster(page)
  expect(v.reachable, v.error).toBe(true)
  expect(v.nodes.reduce((s, n) => s + n.gpus, 0)).toBe(info.gpus)
  await expect(page.getByTestId(`cluster-${info.id}`)).toContainText(/GPUs at work/)
  await expect(page.getByRole('region', { name: `Nodes of ${info.name}` })).toContainText(`${v.nodes.length} with ${info.gpus} GPUs`)
  const running1 = (await jobsOf(page, info.id)).find((j) => j.state === 'running')!
  const row = page.locator(`[data-job="${running1.id}"]`)
  await expect(row).toContainText(running1.tenant_name)
  await expect(row).toContainText(`${running1.gpus}`)
})

test('a limit on its hall is met by what its jobs bear, told with the reason, and given back', async ({ page, site, live, real, request }) => {
  await running(page, live, 200e3)
  const info = site.gpu_clusters![0]!
  // The cluster must be at work, and known to its meter, before something can be taken from it.
  await expect
    .poll(async () => {
      const v = await cluster(page)
      return v.power_w != null && v.award_w != null && v.power_w > v.firm_w * 1.1 && v.gpus_used > 0
    }, { timeout: 90_000 })
    .toBe(true)
  const v = await cluster(page)
  const firm = (await jobsOf(page, info.id)).filter((j) => j.kind === 'firm' && j.state === 'running').map((j) => j.id)
  const limit = Math.round(v.firm_w + (v.power_w! - v.firm_w) * 0.3)
  const made = await request.post('/api/v1/limits', { headers: bearer(real.link), data: { node: info.node, power_w: limit, for_s: 0, note: 'thermography' } })
  expect(made.ok(), await made.text()).toBe(true)
  const id = ((await made.json()) as { id: string }).id
  try {
    await expect.poll(async () => (await cluster(page)).effects.length, { timeout: 60_000 }).toBeGreaterThan(0)
    await page.getByRole('link', { name: 'Clusters' }).click()
    const force = page.getByRole('region', { name: 'In force' })
    await expect(force.locator('[data-effect]').first()).toBeVisible({ timeout: 20_000 })
    await expect(force).toContainText(/limit of .+ binds/)
    await expect.poll(async () => (await cluster(page)).power_w ?? Infinity, { timeout: 60_000 }).toBeLessThanOrEqual(limit * 1.01)
    const after = await jobsOf(page, info.id)
    for (const j of firm) expect(after.find((k) => k.id === j)?.state, `the firm job ${j} runs on`).toBe('running')
  } finally {
    expect((await request.delete(`/api/v1/limits/${id}`, { headers: bearer(real.link) })).ok()).toBe(true)
  }
  await expect.poll(async () => (await cluster(page)).effects.length, { timeout: 90_000 }).toBe(0)
})

test("a tenant's token opens its own page, its draft as PDF, and nothing else", async ({ real, request, browser }) => {
  const answer = await request.post('/api/v1/tokens', { headers: bearer(real.link), data: { name: `lab-${Date.now()}`, role: 'tenant', tenant: 'lab' } })
  expect(answer.ok(), await answer.text()).toBe(true)
  const { token } = (await answer.json()) as { token: string }
  const base = new URL(real.link).origin
  const own = await browser.newContext({ baseURL: base })
  try {
    const theirs = await own.newPage()
    await theirs.goto(`${base}/#token=${token}`)
    await expect(theirs.getByRole('heading', { level: 1 })).toHaveText('Training Lab')
    await expect(theirs.getByRole('navigation')).toHaveCount(0)

    // The month's draft comes once an interval is metered and priced.
    const invoices = async () => (await (await theirs.request.get('/api/v1/tenant/invoices')).json()) as InvoiceView[]
    await expect.poll(async () => (await invoices()).some((v) => v.draft), { timeout: 60_000 }).toBe(true)
    await theirs.reload()
    const href = await theirs.getByRole('region', { name: 'Invoices' }).getByRole('link', { name: 'PDF of draft' }).getAttribute('href')
    const pdf = await theirs.request.get(href!)
    expect(pdf.status()).toBe(200)
    expect(pdf.headers()['content-type']).toContain('application/pdf')
    expect((await pdf.body()).subarray(0, 5).toString()).toBe('%PDF-')

    for (const path of ['site', 'live', 'curve', 'clusters', 'clusters/gpu/jobs', 'tenants', 'decisions', 'devices', 'tokens', 'report/day', 'tenant?tenant=serve', 'tenant/invoices?tenant=ai', 'tenants/serve/usage'])
      expect((await theirs.request.get(`/api/v1/${path}`)).status(), path).toBe(403)
    expect((await request.post('/api/v1/limits', { headers: { Authorization: `Bearer ${token}` }, data: { node: 'gpu-hall', power_w: 1, for_s: 60 } })).status()).toBe(403)
  } finally {
    await own.close()
  }
})
