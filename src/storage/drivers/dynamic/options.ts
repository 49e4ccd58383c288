import { type Static, Type } from 'typebox';

const Name = (description: string, absent: string) =>
  Type.Optional(Type.String({ minLength: 1, description, absent }));

export const DynamicOptions = Type.Object(
  {
    module_path: Type.String({
      minLength: 1,
      description:
        'ES module with the plugin, below the folder of --hicache-dynamic-backend-dir; a path that is not absolute begins there.',
    }),
    class_name: Name('Its export that is a class, which is made with all other options.', "'export' is used"),
    export: Name(
      'Its export that is a function, which gets all other options and returns the plugin, or a promise of it.',
      "'class_name' is used",
    ),
    backend_name: Name('What messages call the plugin.', 'the name of the module'),
  },
  // All other options are the plugin's own.
  { additionalProperties: true },
);
export type DynamicOptions = Static<typeof DynamicOptions>;
