/** Field lines: RFC 9112 5 and RFC 9110 5. */
import { accepted, get, head, refused, type HttpCase } from '../http-case.js'

const LINE = 'RFC 9112 5'
const COLON = 'RFC 9112 5.1'
const FOLD = 'RFC 9112 5.2'
const VALUE = 'RFC 9110 5.5'
const NAME = 'RFC 9110 5.1'
const ENDING = 'RFC 9112 2.2'

const raw = (fields: string): string => `GET / HTTP/1.1\r\nHost: a\r\n${fields}\r\n`

export const fieldCases: readonly HttpCase[] = [
  accepted('an empty value', LINE, get('X-A:')),
  accepted('a value with spaces inside', LINE, get('X-A: b  c')),
  accepted('a tab inside the value', VALUE, get('X-A: b\tc')),
  accepted('octets above ASCII in the value', VALUE, get('X-A: \xe9\xff\x80')),
  accepted('white space around the value', LINE, get('X-A:\t  b \t ')),
  accepted('a colon in the value', LINE, get('X-A: b:c')),
  accepted('every token character in the name', NAME, get("!#$%&'*+-.^_`|~09Az: b")),
  accepted('a name of one character', NAME, get('X: b')),
  accepted('a field twice', 'RFC 9110 5.3', get('X-A: b', 'x-a: c')),
  accepted('a field named __proto__', 'CVE-2026-21710', get('__proto__: x')),
  accepted('fields named constructor and toString', NAME, get('constructor: x', 'toString: y')),
  accepted('fields that are numbers', NAME, get('0: x', '1: y')),
  refused('a line without a colon', LINE, get('X-A')),
  refused('an empty name', LINE, get(': b')),
  refused('a space before the colon', COLON, get('X-A : b')),
  refused('a tab before the colon', COLON, get('X-A\t: b')),
  refused('a space before the colon of Host', COLON, head('GET / HTTP/1.1', 'Host : a')),
  refused('a space inside the name', NAME, get('X A: b')),
  refused('a space before the first name', ENDING, head('GET / HTTP/1.1', ' Host: a')),
  refused('a tab before the first name', ENDING, head('GET / HTTP/1.1', '\tHost: a')),
  refused('a folded line', FOLD, get('X-A: b', ' c')),
  refused('a line folded by a tab', FOLD, get('X-A: b', '\tc')),
  refused('a folded line of white space', FOLD, get('X-A: b', ' ')),
  refused('a folded Host', FOLD, head('GET / HTTP/1.1', 'Host:', ' a')),
  ...Array.from('"(),/;<=>?@[\\]{}').map((octet) =>
    refused(`the delimiter ${octet} in the name`, NAME, get(`X${octet}A: b`)),
  ),
  refused('an octet above ASCII in the name', NAME, get('X\xe9: b')),
  ...['\0', '\x01', '\x07', '\b', '\v', '\f', '\x1b', '\x1f', '\x7f'].map((octet) =>
    refused(`the control ${JSON.stringify(octet)} in the value`, VALUE, get(`X-A: b${octet}c`)),
  ),
  ...['\0', '\x01', '\v', '\x7f'].map((octet) =>
    refused(`the control ${JSON.stringify(octet)} in the name`, NAME, get(`X${octet}A: b`)),
  ),
  refused('a control before the value', VALUE, get('X-A: \x0bb')),
  refused('a control behind the value', VALUE, get('X-A: b\x0b')),
  refused('a line that ends in LF', ENDING, raw('X-A: b\nX-B: c\r\n')),
  refused('a line that ends in CR', ENDING, raw('X-A: b\rX-B: c\r\n')),
  refused('a line that ends in CR CR LF', ENDING, raw('X-A: b\r\r\n')),
  refused('a line that ends in LF CR', ENDING, raw('X-A: b\n\r')),
  refused('a CR in front of the name', ENDING, raw('\rX-A: b\r\n')),
  refused('a CR inside the name', 'CVE-2020-8201', raw('X\rA: b\r\n')),
  refused('an empty line of LF alone', ENDING, 'GET / HTTP/1.1\r\nHost: a\r\n\n'),
  refused('an empty line of CR and something else', ENDING, 'GET / HTTP/1.1\r\nHost: a\r\n\rX'),
  refused('the end of the head as LF LF', ENDING, 'GET / HTTP/1.1\r\nHost: a\n\n'),
]
