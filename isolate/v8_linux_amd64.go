package isolate

import _ "github.com/tommie/v8go/deps/linux_amd64" // the V8 library
