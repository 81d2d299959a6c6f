terraform {
  # 1.11 introduced write-only arguments, which keep credentials out of the state.
  required_version = ">= 1.11"

  required_providers {
    kubernetes = {
      source  = "hashicorp/kubernetes"
      version = ">= 3.0, < 4.0"
    }
  }
}
