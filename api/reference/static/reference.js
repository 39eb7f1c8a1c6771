// The reference of all calls, of /openapi.json beside this page. The key that a reader types stays
// in this tab's memory: it is not stored, and not written into the command that is shown to be copied.
"use strict";

const SHOWN_KEY = "Bearer pm_live_…";

function withoutKey() {
  return {
    wrapComponents: {
      curl: (Original, system) => (props) => {
        const hidden = props.request.hasIn(["headers", "Authorization"])
          ? props.request.setIn(["headers", "Authorization"], SHOWN_KEY)
          : props.request;
        return system.React.createElement(Original, { ...props, request: hidden });
      },
    },
  };
}

const dark = matchMedia("(prefers-color-scheme: dark)");
const paint = () => document.documentElement.classList.toggle("dark-mode", dark.matches);
dark.addEventListener("change", paint);
paint();

SwaggerUIBundle({
  url: "openapi.json",
  domNode: document.getElementById("calls"),
  plugins: [withoutKey],
  deepLinking: true,
  docExpansion: "none",
  defaultModelsExpandDepth: 0,
  displayRequestDuration: true,
  filter: true,
  persistAuthorization: false,
  tryItOutEnabled: true,
  validatorUrl: null, // or the document would be sent to a server elsewhere
  // What is tried here is what a key may do: a session of the dashboard is left aside.
  requestInterceptor: (request) => Object.assign(request, { credentials: "omit" }),
});
