/**
 * Reads the imports of TypeScript sources and judges them by the table of the house.
 * Works on texts by their path, so that its own tests need no files.
 */
import { readdirSync, readFileSync } from 'node:fs'
import { builtinModules } from 'node:module'
import path from 'node:path'
import ts from 'typescript'
import type { Room } from './house.js'

/** The text of each file by its path, which begins with `src/`. */
export type Sources = ReadonlyMap<string, string>

export function readSources(root: string): Sources {
  return new Map(
    readdirSync(path.join(root, 'src'), { recursive: true, encoding: 'utf8' })
      .map((name) => path.posix.join('src', name.replaceAll(path.sep, '/')))
      .filter((file) => file.endsWith('.ts'))
      .toSorted()
      .map((file) => [file, readFileSync(path.join(root, file), 'utf8')]),
  )
}

/** Every module that the text names: imports, re-exports, dynamic imports and types alike. */
export function specifiersOf(file: string, text: string): string[] {
  const specifiers: string[] = []
  const take = (node: ts.Node | undefined): void => {
    if (node !== undefined && ts.isStringLiteralLike(node)) specifiers.push(node.text)
  }
  const visit = (node: ts.Node): void => {
    if (ts.isImportDeclaration(node) || ts.isExportDeclaration(node)) take(node.moduleSpecifier)
    else if (ts.isExternalModuleReference(node)) take(node.expression)
    else if (ts.isImportTypeNode(node) && ts.isLiteralTypeNode(node.argument))
      take(node.argument.literal)
    else if (ts.isCallExpression(node) && isImportOrRequire(node.expression))
      take(node.arguments[0])
    ts.forEachChild(node, visit)
  }
  visit(ts.createSourceFile(file, text, ts.ScriptTarget.Latest))
  return specifiers
}

function isImportOrRequire(callee: ts.Expression): boolean {
  return (
    callee.kind === ts.SyntaxKind.ImportKeyword ||
    (ts.isIdentifier(callee) && callee.text === 'require')
  )
}

/** One sentence for each import that the house does not allow. */
export function forbiddenImports(
  sources: Sources,
  house: Readonly<Record<string, Room>>,
): string[] {
  const faults: string[] = []
  for (const [file, text] of sources) {
    const room = roomOf(file)
    const rules = house[room]
    if (rules === undefined) {
      faults.push(`${file} is in no room of the house`)
      continue
    }
    const allowed = [...rules.mayImport, ...(rules.exceptions?.[nameInRoom(file)] ?? [])]
    for (const specifier of specifiersOf(file, text)) {
      if (!specifier.startsWith('.')) {
        const fault = packageFault(specifier, [...(rules.packages ?? []), ...(rules.bundled ?? [])])
        if (fault !== undefined) faults.push(`${file} ${fault}`)
        continue
      }
      const target = resolve(file, specifier)
      if (!sources.has(target)) faults.push(`${file} imports ${specifier}, which is not in src`)
      else if (target === 'src/index.ts') faults.push(`${file} imports src/index.ts`)
      else if (roomOf(target) !== room && !allowed.some((name) => covers(name, target)))
        faults.push(`${file} imports ${target}: ${room} may not import ${roomOf(target)}`)
    }
  }
  return faults
}

function packageFault(specifier: string, allowed: readonly string[]): string | undefined {
  if (specifier.startsWith('node:')) return undefined
  if (builtinModules.includes(specifier)) return `imports ${specifier}: write node:${specifier}`
  const parts = specifier.split('/')
  const name = parts.slice(0, specifier.startsWith('@') ? 2 : 1).join('/')
  return allowed.includes(name) ? undefined : `imports the package ${name}`
}

/** Each group of files that import each other in a circle, as one closed path through it. */
export function circles(sources: Sources): string[] {
  const targets = new Map(
    [...sources].map(([file, text]) => [
      file,
      specifiersOf(file, text)
        .filter((specifier) => specifier.startsWith('.'))
        .map((specifier) => resolve(file, specifier))
        .filter((target) => sources.has(target)),
    ]),
  )
  const found: string[] = []
  const finished = new Set<string>()
  const trail: string[] = []

  const visit = (file: string): void => {
    if (finished.has(file)) return
    const seenAt = trail.indexOf(file)
    if (seenAt !== -1) {
      found.push([...trail.slice(seenAt), file].join(' -> '))
      return
    }
    trail.push(file)
    for (const target of targets.get(file) ?? []) visit(target)
    trail.pop()
    finished.add(file)
  }
  for (const file of sources.keys()) visit(file)
  return found
}

/** `src/a/b.ts` and `src/a.ts` are in the room `a`. */
function roomOf(file: string): string {
  return (file.split('/')[1] ?? '').replace(/\.ts$/, '')
}

/** `src/a/b/c.ts` is `b/c` in its room. */
function nameInRoom(file: string): string {
  return file.split('/').slice(2).join('/').replace(/\.ts$/, '')
}

function covers(allowed: string, target: string): boolean {
  const name = target.slice('src/'.length).replace(/\.ts$/, '')
  return name === allowed || (!allowed.includes('/') && name.startsWith(`${allowed}/`))
}

function resolve(file: string, specifier: string): string {
  return path.posix.join(path.posix.dirname(file), specifier).replace(/\.js$/, '.ts')
}
