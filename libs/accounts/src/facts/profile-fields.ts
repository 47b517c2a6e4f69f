/** The names that the documents of 2015 give to what has another name since before then and today: one value under two names. */
const NAMESPACED: Readonly<Record<string, string>> = {
  displayname: 'm.profile.display_name',
  avatar_url: 'm.profile.avatar_url',
};

const OWN_NAMES: ReadonlyMap<string, string> = new Map(Object.entries(NAMESPACED).map(([name, key]) => [key, name]));

/** The name under which a field of a profile is kept and told, whichever of its names was said. */
export function nameOfField(key: string): string {
  return OWN_NAMES.get(key) ?? key;
}

/** A profile with each of those fields under both of its names. */
export function withBothNames<T>(profile: Readonly<Record<string, T>>): Record<string, T> {
  const both: Record<string, T> = { ...profile };
  for (const [name, key] of Object.entries(NAMESPACED)) {
    const value = Object.hasOwn(profile, name) ? profile[name] : undefined;
    if (value !== undefined) both[key] = value;
  }
  return both;
}
