import { expect, open, test } from './site'

test.describe('one miner', () => {
  test('from its cell to its page: readings, boards, pools, identity, why', async ({ page, url }) => {
    await open(page, url)
    const map = page.getByTestId('map-s21')
    await map.scrollIntoViewIfNeeded()
    await expect(map).toHaveAttribute('data-cells', '240')
    await map.focus()
    await page.keyboard.press('ArrowRight')
    await page.keyboard.press('Enter')
    await page.getByRole('dialog', { name: 's21-001' }).getByRole('link', { name: 'Its page' }).click()
    await expect(page).toHaveURL(/#\/miners\/s21-001$/)
    await expect(page.getByRole('dialog')).toHaveCount(0)

    await expect(page.getByTestId('power')).toHaveText(/^[\d,]+ W ?± 12$/)
    await expect(page.getByText('metered at its outlet')).toBeVisible()
    for (const c of ['power-chart', 'hash-chart', 'chip-chart']) await expect(page.getByTestId(c).locator('canvas')).toBeVisible()
    const asked = page.waitForRequest((r) => r.url().includes('/devices/s21-001/history') && r.url().includes('step=1800'))
    await page.getByRole('button', { name: '7 days' }).click()
    await asked

    await expect(page.getByRole('region', { name: 'Boards and fans' }).locator('tbody tr')).toHaveCount(3)
    await expect(page.getByRole('region', { name: 'Pools' })).toContainText('millbrook.s21-001')
    const identity = page.getByRole('region', { name: 'Identity' })
    for (const text of ['Bitmain Antminer S21', '02:', '10.0.1.1', 'R1', '1-1', 'pdu-1/1-1']) await expect(identity).toContainText(text)
    await expect(page.getByRole('region', { name: 'Why, and what it was told' })).toContainText('confirming reading')
    await expect(page).toHaveTitle('s21-001 · Millbrook Station · Switchyard')
  })

  test('what is wrong comes first, and is silenced from there', async ({ page, url, mock }) => {
    await open(page, url)
    const alerts = await (await page.request.get(`${url}/api/v1/health`)).json()
    const dead = alerts.find((a: { rule: string }) => a.rule === 'dead-board').device as string
    await page.goto(`${url}/#/miners/${dead}`)
    const wrong = page.getByRole('region', { name: 'What is wrong' })
    await expect(wrong).toContainText('board 2 of 3 gives no hashes')
    await expect(wrong).toContainText('ERROR_POWER_LOST')
    await expect(page.getByRole('region', { name: 'Boards and fans' }).locator('tbody tr').nth(1)).toContainText('dead')
    await wrong.getByRole('button', { name: /^Silence/ }).click()
    const d = page.getByRole('dialog', { name: 'Silence alerts' })
    await expect(d.getByTestId('covers')).toHaveText('covers 1 miner now')
    await d.getByRole('button', { name: 'Silence', exact: true }).click()
    await expect(d.getByRole('alert')).toContainText('Say why')
    await d.getByLabel('Why').fill('the spare board comes on Monday')
    await d.getByRole('button', { name: '1 week' }).click()
    await d.getByRole('button', { name: 'Silence', exact: true }).click()
    await expect(wrong).toContainText('Silenced: silenced by shift: the spare board comes on Monday')
    expect(mock.requests.at(-1)).toMatchObject({ path: '/silences', guard: '1', body: { query: `device=${dead}`, rules: ['dead-board'], for_s: 604800 } })
  })

  test('an act asks, is told, and says what came of it', async ({ page, url, mock }) => {
    await open(page, url)
    await page.goto(`${url}/#/miners/s21-002`)
    const tell = page.getByRole('region', { name: 'What it can be told' })
    await tell.getByRole('button', { name: 'Reboot…' }).click()
    const d = page.getByRole('dialog', { name: 'Reboot: s21-002' })
    await expect(d.getByTestId('preview')).toContainText('Would reboot 1 devices')
    expect(mock.requests.filter((r) => r.path === '/rollouts')).toEqual([])
    await d.getByTestId('begin').click()
    await expect(d).toHaveCount(0)
    await expect(tell.getByTestId('told')).toContainText('Reboot: confirmed')
    expect(mock.requests.at(-1)).toMatchObject({ path: '/rollouts', guard: '1', body: { action: 'reboot', devices: ['s21-002'] } })

    await tell.getByRole('button', { name: 'Profile…' }).click()
    const p = page.getByRole('dialog', { name: 'Profile: s21-002' })
    await p.getByRole('button', { name: 'Preview' }).click()
    await expect(p.getByRole('alert')).toContainText('Give the name of a profile')
    await p.getByLabel('Profile').selectOption('efficient')
    await p.getByRole('button', { name: 'Preview' }).click()
    await p.getByTestId('begin').click()
    expect(mock.requests.at(-1)).toMatchObject({ body: { action: 'profile', profile: 'efficient' } })

    await tell.getByRole('button', { name: 'Password…' }).click()
    const s = page.getByRole('dialog', { name: 'Password: s21-002' })
    await s.getByLabel('New password').fill('hunter2')
    const before = mock.requests.length
    await s.getByRole('button', { name: 'Preview' }).click()
    await expect(s.getByRole('alert')).toContainText('never the password itself')
    expect(mock.requests.length).toBe(before)
  })

  test('goes into maintenance and comes out of it', async ({ page, url }) => {
    await open(page, url)
    await page.goto(`${url}/#/miners/s21-004`)
    await page.getByRole('button', { name: 'Maintenance…' }).click()
    const d = page.getByRole('dialog', { name: 'Take into maintenance' })
    await d.getByLabel('Why').fill('fans')
    await d.getByRole('button', { name: 'Take into maintenance' }).click()
    await expect(page.getByRole('region', { name: 'Miner s21-004' })).toContainText('maintenance')
    await page.getByRole('button', { name: 'End maintenance' }).click()
    await expect(page.getByRole('button', { name: 'Maintenance…' })).toBeVisible()
  })

  test('one that never answered has dashes, not zeros; one that is not there says so', async ({ page, url, allowed }) => {
    allowed.push(/status of 404/)
    await open(page, url)
    await page.goto(`${url}/#/miners/braiins-160`)
    await expect(page.getByTestId('power')).toHaveText('–')
    await expect(page.getByText('The last poll gave nothing')).toBeVisible()
    await page.goto(`${url}/#/miners/no-such`)
    await expect(page.getByRole('alert').filter({ hasText: 'no-such' })).toBeVisible()
    await expect(page.getByRole('main').getByRole('link', { name: 'list of miners' })).toBeVisible()
  })

  test('a viewer sees it all and no buttons that act', async ({ page, url }) => {
    await open(page, url, 'viewer')
    for (const [to, seen] of [['miners/s21-003', 'Boards and fans'], ['miners', 'Miners'], ['alerts', 'Alerts of miners'], ['silences', 'Silences and maintenance'], ['repairs', 'Repair list'], ['rollouts/1', 'Rollout 1']] as const) {
      await page.goto(`${url}/#/${to}`)
      await expect(page.getByRole('region', { name: seen, exact: true })).toBeVisible()
      await expect(page.getByRole('button', { name: /Reboot|Tell|Silence…|Maintenance|Strike|Pause|Resume|Stop|Try again|Hold|Release|^End/ })).toHaveCount(0)
      if (to !== 'alerts') await expect(page.getByRole('main').getByRole('checkbox')).toHaveCount(0)
    }
  })
})
