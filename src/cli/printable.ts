/**
 * Text of the peer as a terminal may show it: nothing in it moves the cursor, changes a colour or a title, answers
 * for the keyboard, or turns the order of what stands beside it around.
 *
 * The forms are those of `cat -v` and of string escapes: `^[` for ESC, `^?` for DEL, `\x9b` for the C1 controls,
 * `\u202e` for what directs bidirectional text and for Unicode's line breaks. A tab and a line feed stay.
 */
const UNSAFE = /(?![\t\n])[\p{Cc}\p{Bidi_Control}\p{Zl}\p{Zp}]/gu

/** The text with every character that a terminal would obey in a visible form. */
export function printable(text: string): string {
  return text.replaceAll(UNSAFE, toVisible)
}

function toVisible(character: string): string {
  const code = character.charCodeAt(0)
  if (code < 0x80) return `^${String.fromCharCode(code ^ 0x40)}`
  const hex = code.toString(16)
  return code < 0x100 ? `\\x${hex}` : `\\u${hex.padStart(4, '0')}`
}
