// The bundle's entry: what a bundle has and the CDN page doesn't need, then the page's own start.
import "graphiql/style.css";
import "./workers.js";
import "../../../app/server/graphiql/start.js";
