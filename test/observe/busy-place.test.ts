/** The place that samples of the thread name: on profiles made by hand, and on the real thread. */
import type { Profiler } from 'node:inspector'
import { fileURLToPath } from 'node:url'
import { describe, expect, it, onTestFinished, vi } from 'vitest'
import { BusyPlace, busiestPlace } from '../../src/observe/busy-place.js'
import { blockLoop } from '../support/block-loop.js'
import { guardAgainstLeaks } from '../support/leak-guard.js'
import { run } from '../support/programs.js'

guardAgainstLeaks()

/** A node of the tree of calls. */
function node(id: number, functionName: string, url: string, children: number[] = []) {
  const callFrame = { functionName, scriptId: '0', url, lineNumber: id, columnNumber: 0 }
  return { id, callFrame, children }
}

const KIT = new URL('../../src/protocol/x.ts', import.meta.url).href

/** A sample each 5 ms, up to 1 s. */
function profile(samples: number[]): Profiler.Profile {
  return {
    nodes: [
      node(1, '(root)', '', [2, 3, 4, 8, 9, 0]),
      node(0, '', 'file:///app/main.js'),
      node(2, '(idle)', ''),
      node(3, '(garbage collector)', ''),
      node(4, 'emit', 'node:events', [5]),
      node(5, 'handle', 'file:///app/main.js', [6, 10]),
      node(6, 'JSON.parse', '', [7]),
      node(7, '', 'file:///app/revive.js'),
      node(8, 'processTicks', 'node:internal/process'),
      node(9, 'read', KIT),
      node(10, 'write', KIT),
    ],
    samples,
    timeDeltas: samples.map(() => 5000),
    startTime: 1_000_000 - samples.length * 5000,
    endTime: 1_000_000,
  }
}

describe('busiestPlace()', () => {
  it.each([
    ['the function of the program itself', [5, 5, 3], 'handle (file:///app/main.js:6)'],
    [
      'the one that called what is V8’s, or the kit’s',
      [6, 10, 3],
      'handle (file:///app/main.js:6)',
    ],
    ['one without a name', [7, 7, 5], 'an anonymous function (file:///app/revive.js:8)'],
    ['the top level of a module', [0], 'the top level (file:///app/main.js)'],
    ['the work of V8 when there was none of the program', [2, 3, 2, 2], '(garbage collector)'],
    ['nothing for waiting, and for what is Node’s and the kit’s alone', [2, 8, 9, 1], undefined],
    ['nothing without samples', [], undefined],
  ])('names %s', (_, samples, place) => {
    expect(busiestPlace(profile(samples), 1000)).toBe(place)
  })

  it('looks at the last milliseconds alone', () => {
    const samples = [7, 7, 7, 7, 5, 5]
    expect(busiestPlace(profile(samples), 1000)).toMatch(/revive/)
    expect(busiestPlace(profile(samples), 10)).toMatch(/^handle/)
  })

  it('takes a profile that lacks what is optional', () => {
    const { samples: _, timeDeltas: __, ...bare } = profile([])
    expect(busiestPlace(bare, 1000)).toBeUndefined()
    expect(busiestPlace({ ...bare, nodes: [], samples: [99] }, 1000)).toBeUndefined()
    expect(busiestPlace({ ...bare, nodes: [node(1, '(root)', '', [2])] }, 1000)).toBeUndefined()
  })
})

describe('BusyPlace', () => {
  function started(): BusyPlace {
    const busyPlace = new BusyPlace()
    onTestFinished(() => busyPlace.stop())
    busyPlace.start()
    busyPlace.start()
    return busyPlace
  }

  function crunch(): void {
    blockLoop(80)
  }

  /** Crunches until the samples name it; on a busy machine they may miss it a few times. */
  function placeOfCrunching(busyPlace: BusyPlace): string | undefined {
    let place: string | undefined
    for (let tries = 0; tries < 5; tries++) {
      crunch()
      place = busyPlace.find(80)
      if (place?.includes('.ts:') === true) break
    }
    return place
  }

  it('names the function that keeps the thread busy', () => {
    const busyPlace = started()
    crunch()
    expect(busyPlace.find(80)).toMatch(
      /^(crunch|blockLoop|an anonymous function) \(file:.*\.ts:\d+\)$/,
    )
    expect(busyPlace.find(0)).toBeUndefined()
  })

  it('knows nothing when it is stopped', () => {
    const busyPlace = started()
    crunch()
    busyPlace.stop()
    busyPlace.stop()
    expect(busyPlace.find(80)).toBeUndefined()
  })

  it('samples on when another one has stopped', () => {
    const [one, other] = [started(), started()]
    one.stop()
    expect(placeOfCrunching(other)).toMatch(/^(crunch|blockLoop|placeOfCrunching) /)
  })

  it('begins anew when its samples are old', () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
    onTestFinished(() => {
      vi.useRealTimers()
    })
    const busyPlace = started()
    expect(busyPlace.isDue).toBe(false)
    crunch()
    vi.advanceTimersByTime(60_000)
    expect(busyPlace.isDue).toBe(true)
    busyPlace.renew()
    expect(busyPlace.isDue).toBe(false)
    expect(busyPlace.find(80)).not.toMatch(/^crunch/)
  })

  it('knows nothing in a Node without the inspector', async () => {
    vi.resetModules()
    const fresh = await import('../../src/observe/busy-place.js')
    const load = vi.spyOn(process, 'getBuiltinModule').mockImplementation(() => {
      throw new Error('ERR_INSPECTOR_NOT_AVAILABLE')
    })
    onTestFinished(() => load.mockRestore())
    const busyPlace = new fresh.BusyPlace()
    busyPlace.start()
    crunch()
    expect(busyPlace.find(80)).toBeUndefined()
    busyPlace.stop()
  })

  it('leaves the precise coverage of the process alone', async () => {
    const program = new URL('../support/programs/covered.mjs', import.meta.url)
    const running = run(process.execPath, [fileURLToPath(program)])
    expect(await running.nextLine()).toBe('7')
    expect(await running.ended).toBe(0)
  })
})
