import { describe, expect, expectTypeOf, it } from 'vitest'
import { HttpError } from '../../src/http-mini/http-error.js'
import type { HttpRequest } from '../../src/http-mini/http-request.js'
import { HttpResponse, response, toResponse } from '../../src/http-mini/http-response.js'
import { Router } from '../../src/http-mini/router.js'
import { fakeRequest } from '../support/fake-request.js'
import { rejection } from '../support/settled.js'
import { thrownBy } from '../support/thrown-by.js'

/** What a router answers, or the status and the message of its error. */
async function ask(router: Router, target: string, method = 'GET'): Promise<unknown> {
  try {
    return await router.handle(fakeRequest(target, { method }))
  } catch (error) {
    if (!(error instanceof HttpError)) throw error
    const allow = error.headers?.['Allow']
    return { status: error.status, ...(allow === undefined ? {} : { allow }) }
  }
}

/** The status and Allow of an answer that is a response. */
async function allowOf(router: Router, target: string, method = 'OPTIONS'): Promise<unknown> {
  const answer = await ask(router, target, method)
  if (!(answer instanceof HttpResponse)) return answer
  return { status: answer.status, allow: answer.headers.get('allow'), body: answer.body }
}

const dump = ({ params }: HttpRequest<object>): object => ({ ...params })

describe('Router', () => {
  it('answers with what the handler of the method and path gives', async () => {
    const router = new Router()
      .get('/a', () => 'get')
      .post('/a', () => 'post')
      .put('/a', () => 'put')
      .patch('/a', () => 'patch')
      .delete('/a', () => 'delete')
      .head('/a', () => 'head')
      .options('/a', () => 'options')
    for (const method of ['GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'HEAD', 'OPTIONS']) {
      expect(await ask(router, '/a?x=/b', method)).toBe(method.toLowerCase())
    }
  })

  it('gives the params to the handler, without a prototype', async () => {
    const router = new Router().get('/users/:id/:__proto__/*rest', ({ params }) => {
      expect(Object.getPrototypeOf(params)).toBeNull()
      return { ...params }
    })
    expect(await ask(router, '/users/a%20b/x/c/d')).toEqual(
      JSON.parse('{ "id": "a b", "__proto__": "x", "rest": "c/d" }'),
    )
  })

  it('gives params of an earlier router to nobody', async () => {
    const request = fakeRequest('/a')
    request.params = { old: 'x' }
    await new Router().get('/a', dump).handle(request)
    expect({ ...request.params }).toEqual({})
    expect(Object.getPrototypeOf(request.params)).toBeNull()
  })

  it('types the params by the pattern', () => {
    const router = new Router()
    router.get('/users/:id/*path', ({ params }) => {
      expectTypeOf(params.id).toEqualTypeOf<string>()
      expectTypeOf(params.path).toEqualTypeOf<string>()
      // @ts-expect-error the pattern does not name it
      return params.name ?? null
    })
    router.get('/users', ({ params }) => {
      expectTypeOf(params).not.toHaveProperty('id')
      return null
    })
    const pattern: string = '/:x'
    router.get(pattern, ({ params }) => {
      expectTypeOf(params['x']).toEqualTypeOf<string | undefined>()
      return null
    })
    const inner = new Router<{ tenant: string }>().get('/:id', ({ params }) => {
      expectTypeOf(params.tenant).toEqualTypeOf<string>()
      expectTypeOf(params.id).toEqualTypeOf<string>()
      return null
    })
    router.mount('/tenants/:tenant', inner)
    // @ts-expect-error there is no tenant
    router.mount('/others/:other', inner)
    expect(router).toBeInstanceOf(Router)
  })

  it('answers synchronously where the handler does, also where it throws', () => {
    const router = new Router()
      .get('/a', () => 'a')
      .get('/b', () => {
        throw new HttpError(418, 'no')
      })
      .onError(() => 'instead')
    expect(router.handle(fakeRequest('/a'))).toBe('a')
    expect(router.handle(fakeRequest('/b'))).toBe('instead')
    expect(router.handle(fakeRequest('/c'))).toBe('instead')
    const outer = new Router().mount('/api', router)
    expect(outer.handle(fakeRequest('/api/a'))).toBe('a')
    expect(thrownBy(() => outer.handle(fakeRequest('/a')))).toMatchObject({ status: 404 })
  })

  it.each([
    [() => new Router().get('a', () => null), TypeError, 'must begin with a slash'],
    [
      () => new Router().get('/', 'x' as never),
      TypeError,
      'handler must be a function, not string',
    ],
    [() => new Router().use('x' as never), TypeError, 'middleware must be a function, not string'],
    [() => new Router().use('/*x', () => null), TypeError, 'prefix /*x: a prefix has no tail'],
    [() => new Router().mount('/*x', new Router()), TypeError, 'prefix /*x: a prefix has no tail'],
    [() => new Router().mount('/', {} as never), TypeError, 'must be a Router, not object'],
    [() => new Router().onError(1 as never), TypeError, 'handler must be a function, not number'],
    [() => new Router().notFound(1 as never), TypeError, 'handler must be a function, not number'],
    [() => new Router().onError(() => null).onError(() => null), RangeError, 'called before'],
    [() => new Router().notFound(() => null).notFound(() => null), RangeError, 'called before'],
    [() => new Router().route('/', () => null, { methods: ['A B'] }), TypeError, 'not "A B"'],
    [() => new Router().route('/', () => null, { methods: [1 as never] }), TypeError, 'not 1'],
    [
      () => new Router().get('/:a', () => 'a').get('/:b', () => 'b'),
      RangeError,
      'GET /:b is the same',
    ],
    [
      () => new Router().all('/', () => null).route('/', () => null),
      RangeError,
      'every method of /',
    ],
  ])('refuses %s', (call, type, words) => {
    expect(call).toThrow(type)
    expect(call).toThrow(words)
  })
})

describe('Router.route()', () => {
  it('takes every method, as all() does', async () => {
    const router = new Router()
      .route('/a', ({ method }) => method)
      .all('/b', ({ method }) => method)
    for (const method of ['GET', 'HEAD', 'OPTIONS', 'BREW']) {
      expect(await ask(router, '/a', method)).toBe(method)
      expect(await ask(router, '/b', method)).toBe(method)
    }
  })

  it('takes methods of one’s own', async () => {
    const router = new Router().route('/a', () => 'a', { methods: ['QUERY', 'get'] })
    expect(await ask(router, '/a', 'QUERY')).toBe('a')
    expect(await ask(router, '/a', 'get')).toBe('a')
    expect(await ask(router, '/a', 'GET')).toEqual({ status: 405, allow: 'OPTIONS, QUERY, get' })
    expect(await ask(router, '/b', 'QUERY')).toEqual({ status: 404 })
  })

  it('registers none of the methods when one of them is there', async () => {
    const router = new Router().post('/a', () => 'post')
    const add =
      (...methods: string[]) =>
      (): unknown =>
        router.route('/a', () => 'b', { methods })
    expect(add('PUT', 'POST')).toThrow(RangeError)
    expect(add('PUT', 'PUT')).toThrow(RangeError)
    expect(await ask(router, '/a', 'PUT')).toEqual({ status: 501 })
  })
})

describe('Router, without a route,', () => {
  const router = new Router()
    .get('/a', () => 'a')
    .put('/:x', () => 'x')
    .post('/b/c', () => 'c')
    .get('/*all', () => 'all')

  it('answers HEAD as GET', async () => {
    expect(await ask(router, '/a', 'HEAD')).toBe('a')
  })

  it('is 405 with the methods of the path, sorted', async () => {
    expect(await ask(router, '/a', 'POST')).toEqual({
      status: 405,
      allow: 'GET, HEAD, OPTIONS, PUT',
    })
    expect(await ask(router, '/b/c', 'PUT')).toEqual({
      status: 405,
      allow: 'GET, HEAD, OPTIONS, POST',
    })
  })

  it('is 404 where only a tail at the root fits another method', async () => {
    expect(await ask(router, '/b/d', 'POST')).toEqual({ status: 404 })
    expect(await ask(router, '/b/d', 'OPTIONS')).toEqual({ status: 404 })
    expect(await ask(router, '/b/d')).toBe('all')
  })

  it('is 501 for a method that no route uses', async () => {
    for (const path of ['/a', '/b/d']) {
      expect(await ask(router, path, 'DELETE')).toEqual({ status: 501 })
      expect(await ask(router, path, 'BREW')).toEqual({ status: 501 })
    }
    const posts = new Router().post('/a', () => 'a')
    expect(await ask(posts, '/a', 'GET')).toEqual({ status: 405, allow: 'OPTIONS, POST' })
    expect(await ask(posts, '/a', 'HEAD')).toEqual({ status: 405, allow: 'OPTIONS, POST' })
    expect(
      await ask(
        new Router().all('/a', () => 'a'),
        '/b',
        'DELETE',
      ),
    ).toEqual({ status: 404 })
    expect(
      await ask(
        new Router().all('/a', () => 'a'),
        '/b',
        'BREW',
      ),
    ).toEqual({ status: 501 })
  })

  it('answers OPTIONS with 204 and the methods of the path', async () => {
    expect(await allowOf(router, '/a')).toEqual({
      status: 204,
      allow: 'GET, HEAD, OPTIONS, PUT',
      body: undefined,
    })
  })

  it('answers OPTIONS * with all methods', async () => {
    expect(await allowOf(router, '*')).toMatchObject({
      status: 204,
      allow: 'GET, HEAD, OPTIONS, POST, PUT',
    })
    expect(await allowOf(new Router(), '*')).toMatchObject({ allow: 'GET, HEAD, OPTIONS' })
  })

  it.each(['/%', '/a/%zz', '/%C0%AF', '/%FF'])('is 400 for %s', async (path) => {
    expect(await ask(router, path)).toEqual({ status: 400 })
    expect(await ask(router, path, 'BREW')).toEqual({ status: 400 })
  })

  it('does not take an error of a handler for one of the path', async () => {
    const faulty = new Router().get('/a', () => decodeURIComponent('%'))
    expect(thrownBy(() => faulty.handle(fakeRequest('/a')))).toBeInstanceOf(URIError)
  })

  it.each(['/b/./c', '/b/../a', '/b//c', '//a', '/b/c/', '/b/%2e/c', '/b%2Fc'])(
    'does not rewrite %s',
    async (path) => {
      const strict = new Router().get('/a', () => 'a').get('/b/c', () => 'c')
      expect(await ask(strict, path)).toEqual({ status: 404 })
    },
  )

  it('ignores a trailing slash where it is told to', async () => {
    const lax = new Router({ ignoreTrailingSlash: true })
      .get('/a', () => 'a')
      .post('/b/', () => 'b')
    expect(await ask(lax, '/a/')).toBe('a')
    expect(await ask(lax, '/b', 'POST')).toBe('b')
    expect(await ask(lax, '/b')).toEqual({ status: 405, allow: 'OPTIONS, POST' })
  })

  it('asks notFound(), for 404 alone', async () => {
    const kind = new Router()
      .get('/a', () => 'a')
      .post('/b', () => 'b')
      .notFound(({ path }) => `no ${path}`)
    expect(await ask(kind, '/x')).toBe('no /x')
    expect(await ask(kind, '/a', 'POST')).toEqual({ status: 405, allow: 'GET, HEAD, OPTIONS' })
    expect(await ask(kind, '/x', 'BREW')).toEqual({ status: 501 })
  })
})

describe('Router.onError()', () => {
  it('answers in place of an error, thrown now or later', async () => {
    const router = new Router()
      .get('/now', () => {
        throw new Error('now')
      })
      .get('/later', () => Promise.reject(new Error('later')))
      .onError((error, { path }) => `${path}: ${(error as Error).message}`)
    expect(await ask(router, '/now')).toBe('/now: now')
    expect(await ask(router, '/later')).toBe('/later: later')
    expect(await ask(router, '/x')).toBe('/x: there is nothing by that path')
    expect(await ask(router, '/now', 'PUT')).toBe('/now: PUT is not known here')
    expect(await ask(router, '/%')).toBe('/%: the path has an escape that is none')
  })

  it('waits for whatever can be awaited', async () => {
    // oxlint-disable-next-line unicorn/no-thenable -- what a handler may give by mistake or on purpose
    const withThen = (then: unknown): object => Object.fromEntries([['then', then]])
    const router = new Router()
      .get('/', () =>
        withThen((_: unknown, fail: (error: Error) => void) => fail(new Error('late'))),
      )
      .get('/data', () => withThen('a word'))
      .onError((error) => `instead: ${(error as Error).message}`)
    expect(await ask(router, '/')).toBe('instead: late')
    expect(router.handle(fakeRequest('/data'))).toEqual(withThen('a word'))
  })

  it('may throw on', async () => {
    const router = new Router().onError((error) => {
      throw new HttpError(503, 'busy', { cause: error })
    })
    expect(await ask(router, '/')).toEqual({ status: 503 })
    const later = new Router()
      .get('/', () => Promise.reject(new Error('x')))
      .onError(() => Promise.reject(new HttpError(503, 'busy')))
    expect(await ask(later, '/')).toEqual({ status: 503 })
  })
})

describe('Router.use()', () => {
  /** A middleware that writes its name on the way in and out. */
  const note =
    (steps: string[], name: string) =>
    async (_request: HttpRequest, next: () => Promise<HttpResponse>): Promise<HttpResponse> => {
      steps.push(`>${name}`)
      try {
        return await next()
      } finally {
        steps.push(`<${name}`)
      }
    }

  it('makes an onion, the first the outermost, whenever the routes are registered', async () => {
    const steps: string[] = []
    const router = new Router().get('/a', () => {
      steps.push('a')
      return 'a'
    })
    router.use(note(steps, '1')).use(note(steps, '2'))
    expect(toResponse(await router.handle(fakeRequest('/a'))).status).toBe(200)
    expect(steps).toEqual(['>1', '>2', 'a', '<2', '<1'])
  })

  it('gives a response whatever the handler has given', async () => {
    const router = new Router().get('/a', () => ({ a: 1 })).get('/none', () => null)
    router.use(async (_request, next) => {
      const answer = await next()
      answer.headers.set('x-seen', 'yes')
      return answer
    })
    for (const [path, status] of [
      ['/a', 200],
      ['/none', 204],
    ] as const) {
      const answer = await router.handle(fakeRequest(path))
      expect(answer).toBeInstanceOf(HttpResponse)
      expect((answer as HttpResponse).status).toBe(status)
      expect((answer as HttpResponse).headers.get('x-seen')).toBe('yes')
    }
  })

  it('may answer by itself, and whatever a handler may', async () => {
    const router = new Router().get('/a', () => 'a')
    router.use((request, next) => (request.query.has('stop') ? 'stopped' : next()))
    expect(await ask(router, '/a?stop')).toBe('stopped')
    expect(await ask(router, '/a')).toBeInstanceOf(HttpResponse)
  })

  it('lets errors pass through', async () => {
    const steps: string[] = []
    const router = new Router()
      .get('/a', () => {
        throw new HttpError(418, 'no')
      })
      .use(note(steps, '1'))
      .use(async (_request, next) => {
        try {
          return await next()
        } catch (error) {
          steps.push(String((error as HttpError).status))
          throw error
        }
      })
    expect(await ask(router, '/a')).toEqual({ status: 418 })
    expect(await ask(router, '/missing')).toEqual({ status: 404 })
    expect(steps).toEqual(['>1', '418', '<1', '>1', '404', '<1'])
  })

  it('is passed too where no route fits, and before notFound()', async () => {
    const steps: string[] = []
    const router = new Router().get('/a', () => 'a').use(note(steps, '1'))
    router.notFound(() => {
      steps.push('none')
      return 'none'
    })
    await ask(router, '/x')
    await ask(router, '/a', 'OPTIONS')
    await ask(router, '/%')
    expect(steps).toEqual(['>1', 'none', '<1', '>1', '<1', '>1', '<1'])
  })

  it('is inside of onError()', async () => {
    const steps: string[] = []
    const router = new Router().use(note(steps, '1')).onError(() => {
      steps.push('error')
      return 'error'
    })
    expect(await ask(router, '/x')).toBe('error')
    expect(steps).toEqual(['>1', '<1', 'error'])
  })

  it('with a prefix is for paths with these segments alone', async () => {
    const steps: string[] = []
    const router = new Router().get('/*all', () => 'all')
    router
      .use('/api', note(steps, 'api'))
      .use('/:x/y/', note(steps, 'y'))
      .use('/', note(steps, 'all'))
    const stepsOf = async (path: string): Promise<string> => {
      steps.length = 0
      await ask(router, path)
      return steps.filter((step) => step.startsWith('>')).join('')
    }
    expect(await stepsOf('/api')).toBe('>api>all')
    expect(await stepsOf('/api/')).toBe('>api>all')
    expect(await stepsOf('/api/y/z')).toBe('>api>y>all')
    expect(await stepsOf('/%61pi/x')).toBe('>api>all')
    expect(await stepsOf('/apis')).toBe('>all')
    expect(await stepsOf('//y')).toBe('>all')
    expect(await stepsOf('/y')).toBe('>all')
    expect(await stepsOf('/api/%')).toBe('>all')
    expect(await stepsOf('*')).toBe('>all')
  })

  it('without any that fits leaves a synchronous answer synchronous', () => {
    const router = new Router().get('/a', () => 'a').use('/api', (_request, next) => next())
    expect(router.handle(fakeRequest('/a'))).toBe('a')
  })

  it('rejects a second next()', async () => {
    const router = new Router()
      .get('/a', () => 'a')
      .use(async (_request, next) => {
        await next()
        return await next()
      })
    expect(await rejection(router.handle(fakeRequest('/a')) as Promise<unknown>)).toMatchObject({
      message: 'next() was called twice by one middleware',
    })
  })
})

describe('Router.mount()', () => {
  it('puts a router below a prefix, by its segments', async () => {
    const api = new Router()
      .get('/', () => 'root')
      .get('/users/:id', dump)
      .get('/t/*rest', dump)
    const router = new Router().mount('/api', api)
    expect(await ask(router, '/api')).toBe('root')
    expect(await ask(router, '/api/users/7')).toEqual({ id: '7' })
    expect(await ask(router, '/%61pi/users/a%2Fb')).toEqual({ id: 'a/b' })
    expect(await ask(router, '/api/t/x/y')).toEqual({ rest: 'x/y' })
    for (const path of ['/api/', '/apiusers/7', '/api%2Fusers/7', '/users/7', '/api/api']) {
      expect(await ask(router, path)).toEqual({ status: 404 })
    }
  })

  it('takes a prefix of many bytes a letter for what it is', async () => {
    const router = new Router().mount('/größe', new Router().get('/:x', dump))
    expect(await ask(router, '/gr%C3%B6%C3%9Fe/a')).toEqual({ x: 'a' })
    expect(await ask(router, '/größe/a')).toEqual({ x: 'a' })
  })

  it('gives the params of the prefix as well', async () => {
    const inner = new Router<{ a: string }>().get('/:b', dump)
    const router = new Router().mount('/x/:a', inner)
    expect(await ask(router, '/x/1/2')).toEqual({ a: '1', b: '2' })
  })

  it('takes in routes that are registered later, at any depth', async () => {
    const inner = new Router()
    const middle = new Router().mount('/b', inner)
    const router = new Router().mount('/a', middle)
    inner.get('/c', () => 'c')
    middle.get('/d', () => 'd')
    expect(await ask(router, '/a/b/c')).toBe('c')
    expect(await ask(router, '/a/d')).toBe('d')
    expect(await ask(inner, '/c')).toBe('c')
  })

  it('may be done with one router in several places', async () => {
    const inner = new Router().get('/x', () => 'x')
    const router = new Router().mount('/a', inner).mount('/b/c/', inner)
    expect(await ask(router, '/a/x')).toBe('x')
    expect(await ask(router, '/b/c/x')).toBe('x')
  })

  it('prefers the more specific of all routes', async () => {
    const api = new Router().get('/:x', () => 'inner').get('/*rest', () => 'rest')
    const router = new Router().get('/api/health', () => 'outer').mount('/api', api)
    expect(await ask(router, '/api/health')).toBe('outer')
    expect(await ask(router, '/api/other')).toBe('inner')
    expect(await ask(router, '/api/a/b')).toBe('rest')
    expect(await ask(router, '/api/health', 'POST')).toEqual({ status: 501 })
  })

  it('refuses what would be there twice, and then has mounted nothing', async () => {
    const router = new Router().get('/api/:x', () => 'outer')
    const api = new Router().get('/new', () => 'new').get('/:y', () => 'inner')
    expect(() => router.mount('/api', api)).toThrow('GET /api/:y is the same as /api/:x')
    expect(await ask(router, '/api/new')).toBe('outer')
    const other = new Router()
    router.mount('/api', other)
    expect(() => other.get('/:z', () => 'z')).toThrow('GET /api/:z is the same as /api/:x')
    expect(await ask(other, '/a')).toEqual({ status: 404 })
    const slashes = new Router().get('/a', () => 'a').get('/a/', () => 'a/')
    expect(() => new Router({ ignoreTrailingSlash: true }).mount('/x', slashes)).toThrow(RangeError)
  })

  it('refuses circles', () => {
    const a = new Router()
    const b = new Router().mount('/a', a)
    const c = new Router().mount('/b', b)
    expect(() => a.mount('/a', a)).toThrow('a router cannot be mounted in itself')
    expect(() => a.mount('/c', c)).toThrow(RangeError)
  })

  it('has requests pass what both routers have, the outer first', async () => {
    const steps: string[] = []
    const pass = (name: string) => (_request: HttpRequest, next: () => Promise<HttpResponse>) => {
      steps.push(name)
      return next()
    }
    const inner = new Router()
      .get('/x', () => 'x')
      .use(pass('inner'))
      .use('/x', pass('inner x'))
    const middle = new Router().mount('/m', inner).use(pass('middle'))
    const router = new Router().mount('/a', middle).use(pass('outer')).use('/x', pass('never'))
    await ask(router, '/a/m/x')
    expect(steps).toEqual(['outer', 'middle', 'inner', 'inner x'])
    steps.length = 0
    await ask(router, '/a/m/none')
    expect(steps).toEqual(['outer', 'middle', 'inner'])
    steps.length = 0
    await ask(router, '/a/none')
    expect(steps).toEqual(['outer', 'middle'])
  })

  it('leaves to each router its errors and what it has not found', async () => {
    const inner = new Router()
      .get('/fails', () => {
        throw new Error('inner')
      })
      .onError((error) => `inner: ${(error as Error).message}`)
      .notFound(() => 'inner: none')
    const plain = new Router().get('/fails', () => {
      throw new Error('plain')
    })
    const router = new Router()
      .mount('/inner', inner)
      .mount('/plain', plain)
      .onError((error) => `outer: ${(error as Error).message}`)
      .notFound(() => 'outer: none')
    expect(await ask(router, '/inner/fails')).toBe('inner: inner')
    expect(await ask(router, '/inner/none')).toBe('inner: none')
    expect(await ask(router, '/inner')).toBe('inner: none')
    expect(await ask(router, '/innere')).toBe('outer: none')
    expect(await ask(router, '/plain/fails')).toBe('outer: plain')
    expect(await ask(router, '/plain/none')).toBe('outer: none')
    expect(await ask(router, '/inner/fails', 'DELETE')).toBe('inner: DELETE is not known here')
  })

  it('has the methods of all routers in Allow', async () => {
    const inner = new Router().post('/x', () => 'x').route('/y', () => 'y', { methods: ['QUERY'] })
    const router = new Router().get('/a/:x', () => 'get').mount('/a', inner)
    expect(await allowOf(router, '/a/x')).toMatchObject({ allow: 'GET, HEAD, OPTIONS, POST' })
    expect(await ask(router, '/a/x', 'QUERY')).toEqual({
      status: 405,
      allow: 'GET, HEAD, OPTIONS, POST',
    })
    expect(await allowOf(router, '*')).toMatchObject({ allow: 'GET, HEAD, OPTIONS, POST, QUERY' })
  })
})

describe('Router.handle()', () => {
  it('gives a response that a handler made as it is', async () => {
    const made = response('x', { status: 201 })
    expect(
      await ask(
        new Router().get('/', () => made),
        '/',
      ),
    ).toBe(made)
  })
})
