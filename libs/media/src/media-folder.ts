/** Where content is, within the data folder. */
export const MEDIA_FOLDER = 'media';
