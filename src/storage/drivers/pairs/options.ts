import { type Static, Type } from 'typebox';

/** A backend inside of another one: its name, and its options beside that. */
function child(description: string) {
  return Type.Object(
    { backend: Type.String({ minLength: 1, description: 'Its name. Its own options stand beside it.' }) },
    { additionalProperties: true, description },
  );
}
export type ChildConfig = Static<ReturnType<typeof child>>;

export const TieredOptions = Type.Object(
  {
    fast: child('The backend that is asked first, and gets what the other one had.'),
    slow: child('The backend that says what is stored.'),
  },
  { additionalProperties: false },
);

export const MirrorOptions = Type.Object(
  {
    first: child('The backend that is asked first.'),
    second: child('The backend that holds the same.'),
  },
  { additionalProperties: false },
);
