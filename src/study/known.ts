/**
 * Values that are worked out once per key.
 */

/** The value of a key, made when it is asked for the first time. */
export function known<Key extends WeakKey | string | number, Value>(
  values: { get(key: Key): Value | undefined; set(key: Key, value: Value): unknown },
  key: Key,
  make: () => Value,
): Value {
  const there = values.get(key);
  if (there !== undefined) return there;
  const made = make();
  values.set(key, made);
  return made;
}
