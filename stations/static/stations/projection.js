// Web Mercator, as MapLibre shows it without turning or tilting: places to pixels of the map's element.

const TILE_PX = 512;
const EARTH_KM_PER_PX = 78271.517 / 1000; // at zoom 0 on the equator, with tiles of 512 pixels
const LAT_MAX = 85.06;

const radians = (degrees) => (degrees * Math.PI) / 180;
const northing = (lat) => Math.log(Math.tan(Math.PI / 4 + radians(Math.max(-LAT_MAX, Math.min(LAT_MAX, lat))) / 2)) / (2 * Math.PI);
const latitude = (north) => (2 * Math.atan(Math.exp(2 * Math.PI * north)) * 180) / Math.PI - 90;

export class Projection {
  /** Take the map's view as it is now; `margin` pixels outside are in sight too. */
  constructor(map, margin) {
    const { clientWidth, clientHeight } = map.getContainer();
    const { lng, lat } = map.getCenter();
    Object.assign(this, { width: clientWidth, height: clientHeight, zoom: map.getZoom(), lng, lat });
    this.world = TILE_PX * 2 ** this.zoom;
    this.north = northing(lat);
    this.reach = ((this.width / 2 + margin) / this.world) * 360;
    const half = (this.height / 2 + margin) / this.world;
    this.top = latitude(this.north + half);
    this.bottom = latitude(this.north - half);
  }

  /** Return degrees of longitude from the middle, by the shorter way around the earth. */
  east(lng) {
    return ((((lng - this.lng + 180) % 360) + 360) % 360) - 180;
  }

  sees({ lng, lat }) {
    return lat >= this.bottom && lat <= this.top && Math.abs(this.east(lng)) <= this.reach;
  }

  at({ lng, lat }) {
    return {
      x: this.width / 2 + (this.east(lng) / 360) * this.world,
      y: this.height / 2 - (northing(lat) - this.north) * this.world,
    };
  }

  get pxPerKm() {
    return 2 ** this.zoom / (EARTH_KM_PER_PX * Math.cos(radians(Math.round(this.lat))));
  }
}
