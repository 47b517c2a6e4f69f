/** The pictures that are read, by what their first bytes say, whatever who brought them says: no vectors, which are programs, and no rare formats. */
export type PictureType = 'image/jpeg' | 'image/png' | 'image/gif' | 'image/webp' | 'image/avif';

/** What is to be made of a picture: a smaller one, in a box of so many pixels. */
export interface ThumbnailJob {
  readonly kind: 'thumbnail';
  readonly width: number;
  readonly height: number;
  readonly method: 'crop' | 'scale';
  readonly animated: boolean;
}

/** What is to be found out of a picture. */
export interface DescribeJob {
  readonly kind: 'describe';
  readonly withBlurhash: boolean;
}

export type PictureJob = ThumbnailJob | DescribeJob;

/** A job as the process that reads pictures gets it: so many bytes follow on its standard input. */
export type SentJob = PictureJob & { readonly type: PictureType; readonly bytes: number };

/** A thumbnail. */
export interface MadeThumbnail {
  readonly kind: 'made';
  /** Of the picture. */
  readonly from: PictureType;
  readonly type: 'image/jpeg' | 'image/png' | 'image/webp';
  readonly content: Uint8Array;
}

/** The picture is no larger than the box, and is its own thumbnail. */
export interface IsSmall {
  readonly kind: 'small';
  readonly type: PictureType;
}

/** What a picture is, as it is shown: turned as it says. */
export interface DescribedPicture {
  readonly kind: 'described';
  readonly type: PictureType;
  readonly width: number;
  readonly height: number;
  readonly blurhash?: string;
}

/**
 * Why nothing can be made of some content: it is no picture, or none that is whole; it takes more than a picture may; or it took longer, which
 * may be the picture's doing or that of a busy machine.
 */
export type Refusal = 'unreadable' | 'too-large' | 'too-slow';

export interface RefusedPicture {
  readonly kind: 'refused';
  readonly reason: Refusal;
}

export type PictureAnswer = MadeThumbnail | IsSmall | DescribedPicture | RefusedPicture;

export const UNREADABLE: RefusedPicture = Object.freeze({ kind: 'refused', reason: 'unreadable' });
export const TOO_LARGE: RefusedPicture = Object.freeze({ kind: 'refused', reason: 'too-large' });
export const TOO_SLOW: RefusedPicture = Object.freeze({ kind: 'refused', reason: 'too-slow' });
