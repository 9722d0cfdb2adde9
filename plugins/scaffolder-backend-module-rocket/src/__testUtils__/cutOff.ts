/** Whatever is asked of it, however the question goes on, the answer never comes. */
export const never: any = new Proxy(() => {}, {
  get: (_target, key) => (key === 'then' ? () => {} : never),
  apply: () => never,
});

/**
 * A database that can be cut off: whoever has it gets no answer from then on,
 * as a killed backend does not. Stock's task worker goes on asking after its
 * backend has stopped; a database that is closed under it would answer with
 * errors in the middle of other tests.
 */
export function cutOff<T extends object>(
  database: T,
): { database: T; setCut(cut: boolean): void } {
  let isCut = false;
  return {
    database: new Proxy(database, {
      get: (target, key) => (isCut ? never : Reflect.get(target, key, target)),
      apply: (target, self, args) =>
        isCut ? never : Reflect.apply(target as never, self, args),
    }),
    setCut: cut => {
      isCut = cut;
    },
  };
}
