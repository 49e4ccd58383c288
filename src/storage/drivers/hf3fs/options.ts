import { type Static, Type } from 'typebox';
import { byteSize } from '../../config.ts';

export const Hf3fsOptions = Type.Object(
  {
    file_path_prefix: Type.String({
      pattern: '^/',
      description: 'The beginning of the paths of all files, in a folder of the mount that is there already.',
    }),
    file_size: byteSize({
      description: 'Bytes of the data file, or of all page files where there is no metadata service.',
    }),
    metadata_server_url: Type.Optional(
      Type.String({
        pattern: '^https?://[^/?#]+/*$',
        description: 'The metadata service, which says where in the data file a page is.',
        absent: 'each page is a file of its own',
      }),
    ),
    bytes_per_page: byteSize({
      default: '4MiB',
      description: 'Bytes of a place in the data file: one page with 4352 bytes before it.',
    }),
    rank: Type.Union([Type.Integer({ minimum: 0 }), Type.String({ pattern: '^[0-9]{1,9}$' })], {
      default: 0,
      description: 'The number of the data file at the metadata service. Who has the same one shares pages.',
    }),
    numjobs: Type.Integer({
      minimum: 1,
      maximum: 64,
      default: 16,
      description: 'Places of the data file that are read at a time, and as many that are written.',
    }),
  },
  { additionalProperties: false },
);
export type Hf3fsOptions = Static<typeof Hf3fsOptions>;
