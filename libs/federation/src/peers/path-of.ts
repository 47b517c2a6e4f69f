/** A value of a query; a list is given once for each of its values, and what is undefined is left out. */
export type QueryValue = string | number | boolean | readonly string[] | undefined;

/**
 * The path of a request to another server: `:name` of the template stands for the value of that name, escaped. Throws where the
 * template names what is not given.
 */
export function pathOf(
  template: string,
  values: Readonly<Record<string, string>> = {},
  query: Readonly<Record<string, QueryValue>> = {},
): string {
  const path = template.replaceAll(/:([A-Za-z]+)/g, (_, name: string) => {
    const value = values[name];
    if (value === undefined) throw new Error(`${template}: there is no ${name}`);
    return encodeURIComponent(value);
  });
  const search = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) {
    for (const one of Array.isArray(value) ? value : [value]) if (one !== undefined) search.append(name, String(one));
  }
  return search.size === 0 ? path : `${path}?${search}`;
}
