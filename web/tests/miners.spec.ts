import { expect, open, test } from './site'
import { examples, quoted, spot } from '../src/lib/query'

test('a fault in a query is found in it, by character or by what is quoted', () => {
  expect(spot('modle=S19 and x', 'query, character 1: there is no field "modle"; did you mean "model"?')).toEqual({ before: '', wrong: 'modle', after: '=S19 and x' })
  expect(spot('state=hashing and', 'query, character 18: something to look for is missing')).toEqual({ before: 'state=hashing and', wrong: '', after: '' })
  expect(spot('a (b', 'query, character 3: the parenthesis is not closed; write ")" where it ends')).toEqual({ before: 'a ', wrong: '(', after: 'b' })
  expect(spot('temp>hot', '"hot" is no figure')?.wrong).toBe('hot')
  expect(spot('x', 'the disk is full')).toBeNull()
  expect([quoted('s21-001'), quoted('row 3'), quoted('a*"b')]).toEqual(['s21-001', '"row 3"', '"a\\*\\"b"'])
})

test.describe('the list of miners', () => {
  test('the key / finds one by anything, Enter opens the only one', async ({ page, url }) => {
    await open(page, url)
    await page.keyboard.press('/')
    const box = page.getByRole('searchbox', { name: 'Find miners' })
    await expect(box).toBeFocused()
    const { devices } = await (await page.request.get(`${url}/api/v1/devices?q=&sort=&offset=0&limit=1`)).json()
    const tens = `${devices[0].address} braiins` // 10.0.3.1 is the beginning of 10.0.3.10 too
    for (const text of [tens, devices[0].mac, devices[0].serial, 'millbrook.braiins-001']) {
      await box.fill(text)
      await expect(page.locator('[data-row="braiins-001"]')).toBeVisible()
      if (text !== tens) await expect(page.locator('[data-row]')).toHaveCount(1)
    }
    await box.press('Enter')
    await expect(page).toHaveURL(/#\/miners\/braiins-001$/)
    await expect(page.getByRole('region', { name: 'Miner braiins-001' })).toBeVisible()
    await page.goBack()
    await expect(box).toHaveValue('millbrook.braiins-001')
  })

  test('a query is linked, counted and answered; every example is understood', async ({ page, url }) => {
    await open(page, url)
    await page.goto(`${url}/#/miners?q=${encodeURIComponent('model=*S19* and rack=R1')}`)
    await expect(page.getByTestId('found')).toHaveText('40 miners match')
    await expect(page.getByRole('searchbox')).toHaveValue('model=*S19* and rack=R1')
    await page.getByRole('button', { name: 'Examples' }).click()
    for (const x of examples) {
      await page.getByRole('link', { name: x.q, exact: true }).click()
      await expect(page.getByRole('searchbox')).toHaveValue(x.q)
      await expect(page.getByTestId('found')).toHaveText(/\d+ miners? match/)
      await expect(page.getByRole('alert').filter({ hasText: 'query' })).toHaveCount(0)
    }
  })

  test('a wrong query says where, lists nothing, and mends', async ({ page, url, allowed }) => {
    allowed.push(/status of 422/)
    await open(page, url)
    await page.goto(`${url}/#/miners`)
    await expect(page.locator('[data-row]')).toHaveCount(100)
    const box = page.getByRole('searchbox')
    await box.fill('state=fault and modle=S19*')
    await expect(page.getByText('there is no field "modle"')).toBeVisible()
    await expect(page.locator('mark')).toHaveText('modle')
    await expect(page.locator('[data-row]')).toHaveCount(0)
    await expect(box).toHaveAttribute('aria-invalid', 'true')
    await box.fill('state=fault')
    await expect(page.locator('mark')).toHaveCount(0)
    await expect(page.locator('[data-row]').first()).toContainText('Fault')
    await box.press('ArrowDown')
    await expect(page.locator('[data-row] a').first()).toBeFocused()
    await page.keyboard.press('ArrowDown')
    await expect(page.locator('[data-row] a').nth(1)).toBeFocused()
  })

  test('an empty answer says what to do', async ({ page, url }) => {
    await open(page, url)
    await page.goto(`${url}/#/miners?q=nothing-like-this`)
    await expect(page.getByText('No miner matches this')).toBeVisible()
    await page.route('**/api/v1/devices?*', (r) => r.fulfill({ json: { at: '', total: 0, devices: null } }))
    await page.goto(`${url}/#/miners`)
    await expect(page.getByText('switchyard scan 10.0.0.0/24')).toBeVisible()
  })

  test('a slow answer blocks nothing and is said', async ({ page, url, mock }) => {
    await open(page, url)
    await page.goto(`${url}/#/miners`)
    await expect(page.locator('[data-row]')).toHaveCount(100)
    mock.slowMs = 2500
    await page.getByRole('searchbox').fill('s21-00')
    await expect(page.getByText('Looking', { exact: true })).toBeVisible()
    await page.getByRole('searchbox').fill('s21-003')
    await expect(page).toHaveURL(/q=s21-003$/)
    await page.getByRole('link', { name: 'Site', exact: true }).click()
    await expect(page.getByTestId('headline')).toBeVisible()
    mock.slowMs = 0
    await page.goBack()
    await expect(page.locator('[data-row]')).toHaveCount(1)
  })
})

test.describe('30,000 miners', () => {
  test.use({ siteOptions: { fleetSize: 30_000 } })
  test('are paged and sorted by the controller, and chosen all at once', async ({ page, url, mock }) => {
    await open(page, url)
    await page.goto(`${url}/#/miners`)
    await expect(page.getByTestId('found')).toHaveText('30,000 miners')
    await expect(page.locator('[data-row]')).toHaveCount(100)
    await page.getByRole('button', { name: 'Last' }).click()
    await expect(page).toHaveURL(/page=300/)
    await expect(page.locator('[data-row="yard-29400"]')).toBeVisible()

    await page.getByRole('button', { name: 'Power, W' }).click()
    await expect(page).toHaveURL(/#\/miners\?sort=-power$/)
    const watts = async () => (await page.locator('[data-row] [data-unit="W"]').allTextContents()).map((s) => Number(s.replace(/[^\d]/g, '')))
    await expect.poll(async () => (await watts())[0]).toBeGreaterThan(3300)
    const list = await watts()
    expect(list).toEqual([...list].sort((a, b) => b - a))
    await page.getByRole('button', { name: 'Power, W' }).click()
    await expect.poll(async () => (await watts())[0]).toBeLessThan(3000)
    const least = await watts()
    expect(least).toEqual([...least].sort((a, b) => a - b))

    await page.getByRole('button', { name: 'Miner', exact: true }).click()
    await page.getByRole('searchbox').fill('group=yard')
    await expect(page.getByTestId('found')).toHaveText('29,400 miners match')
    await page.getByLabel('Choose yard-00002', { exact: true }).check()
    await page.getByLabel('Choose yard-00005', { exact: true }).click({ modifiers: ['Shift'] })
    await expect(page.getByTestId('chosen')).toHaveText('4 miners chosen')
    await page.getByRole('button', { name: 'Next' }).click()
    await page.getByLabel('Choose all on this page').check()
    await expect(page.getByTestId('chosen')).toHaveText('104 miners chosen')
    await page.getByRole('button', { name: 'Choose all 29,400 that match' }).click()
    await expect(page.getByTestId('chosen')).toHaveText('All 29,400 miners that match')

    await page.getByRole('button', { name: 'Tell them…' }).click()
    const d = page.getByRole('dialog')
    await d.getByRole('button', { name: 'Preview' }).click()
    await expect(d.getByTestId('preview')).toContainText('29400 devices in 588 waves')
    const asked = mock.requests.at(-1)!
    expect(asked).toMatchObject({ path: '/rollouts/preview', body: { action: 'reboot', query: 'group=yard' } })
    expect(asked.body).not.toHaveProperty('devices')
  })
})
