/** The four forms of a request target: RFC 9112 3.2. */
import { accepted, goodThenRefused, get, head, refused, type HttpCase } from '../http-case.js'

const ORIGIN = 'RFC 9112 3.2.1'
const ABSOLUTE = 'RFC 9112 3.2.2'
const AUTHORITY = 'RFC 9112 3.2.3'
const ASTERISK = 'RFC 9112 3.2.4'

const target = (text: string, method = 'GET'): string =>
  head(`${method} ${text} HTTP/1.1`, 'Host: a')

export const targetCases: readonly HttpCase[] = [
  accepted('a path', ORIGIN, target('/a/b.html'), 'GET /a/b.html'),
  accepted('a path and a query', ORIGIN, target('/a?b=c&d'), 'GET /a?b=c&d'),
  accepted('an empty query', ORIGIN, target('/a?'), 'GET /a'),
  accepted('a question mark in the query', ORIGIN, target('/a?b?c'), 'GET /a?b?c'),
  accepted('an encoded octet stays encoded', ORIGIN, target('/%41%2f'), 'GET /%41%2f'),
  accepted('dot segments stay', ORIGIN, target('/a/../b/./c'), 'GET /a/../b/./c'),
  accepted('two slashes stay', ORIGIN, target('//a//b'), 'GET //a//b'),
  accepted(
    'every character of a path',
    'RFC 3986 3.3',
    target("/-._~!$&'()*+,;=:@"),
    "GET /-._~!$&'()*+,;=:@",
  ),
  accepted(
    'every character that a URL of a browser leaves as it is',
    'RFC 9112 3.2',
    target('/[a]|^?b[c]={d}|^`\\'),
    'GET /[a]|^?b[c]={d}|^`\\',
  ),
  refused('a brace in a path', ORIGIN, target('/{a}')),
  refused('a backslash in a path', ORIGIN, target('/a\\b')),
  refused('a quote in a query', ORIGIN, target('/a?"b"')),
  refused('an angle bracket in a query', ORIGIN, target('/a?<b>')),
  refused('a percent sign alone in a path', 'RFC 3986 2.1', target('/100%')),
  refused('a percent sign alone in a query', 'RFC 3986 2.1', target('/a?b=100%&c')),
  accepted('8192 octets', 'RFC 9112 3', target(`/${'x'.repeat(8191)}`), `GET /${'x'.repeat(8191)}`),
  refused('8193 octets', 'RFC 9112 3', target(`/${'x'.repeat(8192)}`), 414),
  refused('a target without an end', 'RFC 9112 3', `GET /${'x'.repeat(20_000)}`, 414),
  refused('a path without a slash', ORIGIN, target('a/b')),
  refused('a query alone', ORIGIN, target('?a')),
  refused('a backslash for the slash', ORIGIN, target('\\a')),
  refused('a fragment', 'RFC 9112 3.2', target('/a#b')),
  accepted('an absolute form', ABSOLUTE, target('http://a/b?c'), 'GET /b?c'),
  accepted('an absolute form in capitals', ABSOLUTE, target('HTTP://A/b'), 'GET /b'),
  accepted('an absolute form with a port', ABSOLUTE, target('http://a:8080/b'), 'GET /b'),
  accepted('an absolute form without a path', ABSOLUTE, target('http://a'), 'GET /'),
  accepted('an absolute form with a query alone', ABSOLUTE, target('http://a?b'), 'GET /?b'),
  accepted(
    'an absolute form with an IPv6 address',
    ABSOLUTE,
    target('http://[::1]:80/b'),
    'GET /b',
  ),
  accepted(
    'an absolute form in HTTP/1.0',
    ABSOLUTE,
    head('GET http://a/b HTTP/1.0', 'Connection: keep-alive'),
    'GET /b',
  ),
  accepted(
    'an absolute form names the host, whatever Host says',
    ABSOLUTE,
    head('GET http://b/host HTTP/1.1', 'Host: a'),
    'GET /host',
    {
      lastBody: 'b',
    },
  ),
  accepted(
    'an origin form has the host of Host',
    'RFC 9112 3.3',
    head('GET /host HTTP/1.1', 'Host: a:80'),
    'GET /host',
    {
      lastBody: 'a:80',
    },
  ),
  refused('an absolute form without a Host field', 'RFC 9112 3.2', head('GET http://a/ HTTP/1.1')),
  refused(
    'an absolute form with a bad Host field',
    'RFC 9112 3.2',
    head('GET http://a/ HTTP/1.1', 'Host: a b'),
  ),
  refused('an absolute form with an empty host', 'RFC 9110 4.2.1', target('http:///b')),
  refused('an absolute form with a bad port', 'RFC 3986 3.2.3', target('http://a:b/')),
  refused('an absolute form with a bad IPv6 address', 'RFC 3986 3.2.2', target('http://[::g]/')),
  refused('an absolute form with a user', 'RFC 9110 4.2.4', target('http://u:p@a/')),
  refused('an absolute form with a fragment', 'RFC 9112 3.2', target('http://a/b#c')),
  refused('an absolute form with one slash', ABSOLUTE, target('http:/a/b')),
  refused('an absolute form without a colon', ABSOLUTE, target('http//a/b')),
  refused('a scheme that is none of HTTP', ABSOLUTE, target('ftp://a/b')),
  accepted('OPTIONS *', ASTERISK, target('*', 'OPTIONS'), 'OPTIONS *'),
  refused('GET *', ASTERISK, target('*')),
  refused('POST *', ASTERISK, target('*', 'POST')),
  refused('OPTIONS **', ASTERISK, target('**', 'OPTIONS')),
  refused('an authority with GET', AUTHORITY, target('a:80')),
  refused('a path with CONNECT', AUTHORITY, target('/', 'CONNECT')),
  refused('CONNECT without a port', AUTHORITY, target('a', 'CONNECT')),
  goodThenRefused('a bad target behind a good one', ORIGIN, `${get()}${target('b')}`),
]
