/** Text for one line of the registry: no control characters, whole characters only, at most `max` of UTF-16; undefined when nothing is left. */
export function oneLine(text: string, max: number): string | undefined {
  const clean = text
    // eslint-disable-next-line no-control-regex
    .replace(/[\u0000-\u0020\u007f]+/g, ' ')
    .trim()
    .slice(0, max)
    .replace(
      /[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/g,
      '',
    )
    .trim();
  return clean === '' ? undefined : clean;
}
